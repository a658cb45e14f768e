"""DataSync on one machine: copies from S3 to EFS, with executions that really copy."""
