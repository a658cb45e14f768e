"""CloudWatch Logs on one machine: each stream is a file."""
