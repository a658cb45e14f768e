"""Makes a folder what an S3 prefix is: only what has changed, many files at a time, each whole or not at all."""
