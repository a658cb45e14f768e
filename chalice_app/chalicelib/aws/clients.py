"""The one way to make an AWS client."""

from __future__ import annotations

from functools import cache
from threading import Lock
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from chalicelib.aws.signing import CredentialSource

_MAKING = Lock()
"""Held while a client is made.

boto3's default session makes clients for one thread at a time only. Threads may share the clients
themselves.
"""

_FUNCTION_SECONDS = 130
"""Seconds to wait for a function's answer, more than any such function may take.

If the client gave up earlier, it would invoke the function once more.
"""


@cache
def client(service: str, endpoint_url: str | None = None) -> Any:
    """Return this process's boto3 client of ``service``.

    A service with an endpoint of its own (``@connections``) needs ``endpoint_url``. Otherwise the
    endpoint comes from ``AWS_ENDPOINT_URL`` where that is set (FACTS M6). boto3 is imported on
    first use, so a Lambda that needs no client does not pay for it at its cold start (FACTS H3).
    """
    import boto3
    from botocore.config import Config

    config = Config(
        connect_timeout=5,
        read_timeout=_FUNCTION_SECONDS if service == "lambda" else 25,
        retries={"mode": "standard", "max_attempts": 4},
        s3={"addressing_style": "path"},
        signature_version="s3v4" if service == "s3" else None,
        # A checksum of each part would have to be repeated when a multipart upload is completed,
        # and browsers send none with their parts.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    with _MAKING:
        return boto3.client(service, config=config, endpoint_url=endpoint_url)


@cache
def credentials() -> CredentialSource:
    """Return this process's credentials, for what signs by itself."""
    import boto3

    with _MAKING:
        found: CredentialSource | None = boto3.Session().get_credentials()
    assert found is not None, "every part of a deployment has a role"
    return found


def region() -> str:
    """Return the region of this process's clients."""
    name: str = client("s3").meta.region_name
    return name
