"""Make a folder equal to an S3 prefix.

Only changes are copied, many files at a time, each completely or not at all.
"""
