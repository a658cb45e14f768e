"""What S3 tells EventBridge."""
