"""The connection to DynamoDB, which a process makes once and keeps."""

from chalicelib.aws import tables


def forget_connections(*bound: type[tables.Table]) -> None:
    """Let these tables connect anew: the place or the credentials are others now."""
    tables._shared.cache_clear()
    for table in bound:
        table._connection = None
