"""Syncs: copies of S3 folders on EFS, updated by schedule, on demand or at once."""
