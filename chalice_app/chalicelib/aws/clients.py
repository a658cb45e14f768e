"""The one way to make an AWS client."""

from functools import cache
from threading import Lock
from typing import Any

_MAKING = Lock()
"""boto3's default session makes clients for one thread at a time only; clients themselves are for all."""

_FUNCTION_SECONDS = 130
"""Longer than any function that is waited for may take: given up, it would be invoked once more."""


@cache
def client(service: str, endpoint_url: str | None = None) -> Any:
    """Return this process's boto3 client of ``service``, at its own ``endpoint_url`` where it has one (``@connections``).

    boto3 is imported on first use: a Lambda that needs no client of its own does not pay for it at its cold start
    (FACTS H3). Endpoints come from ``AWS_ENDPOINT_URL`` where that is set (FACTS M6).
    """
    import boto3
    from botocore.config import Config

    config = Config(
        connect_timeout=5,
        read_timeout=_FUNCTION_SECONDS if service == "lambda" else 25,
        retries={"mode": "standard", "max_attempts": 4},
        s3={"addressing_style": "path"},
        signature_version="s3v4" if service == "s3" else None,
        # A checksum of each part would have to be repeated when a multipart upload is completed, and browsers send none with theirs.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    with _MAKING:
        return boto3.client(service, config=config, endpoint_url=endpoint_url)
