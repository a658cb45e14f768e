"""Syncs: copies of S3 folders on EFS, kept up by schedule, on demand and at once."""
