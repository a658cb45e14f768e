"""Signature Version 4: what a header and a URL that sign a request have in common. Pure."""

import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import NamedTuple

ALGORITHM = "AWS4-HMAC-SHA256"


class Credentials(NamedTuple):
    """An AWS access key, with the session token of a role's key."""

    access_key: str
    secret_key: str
    token: str | None


class SignatureScope(NamedTuple):
    """When and for what a signature is valid."""

    stamp: str
    """The time of the signature, as in ``20261130T160000Z``."""
    region: str
    service: str

    @classmethod
    def at(cls, time: float, region: str, service: str) -> "SignatureScope":
        """Return the scope of a signature that is made at ``time``, in seconds since 1970."""
        return cls(datetime.fromtimestamp(time, UTC).strftime("%Y%m%dT%H%M%SZ"), region, service)

    @property
    def day(self) -> str:
        return self.stamp[:8]

    def __str__(self) -> str:
        return f"{self.day}/{self.region}/{self.service}/aws4_request"


def names_of(headers: Mapping[str, str]) -> str:
    """Return the list of the signed headers; their names are in lower case."""
    return ";".join(sorted(headers))


def signing_key(secret_key: str, scope: SignatureScope) -> bytes:
    """Return the key for a day, a region and a service."""
    key = f"AWS4{secret_key}".encode()
    for part in (scope.day, scope.region, scope.service, "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return key


def signature(
    key: bytes,
    scope: SignatureScope,
    method: str,
    path: str,
    query: str,
    headers: Mapping[str, str],
    payload: str,
) -> str:
    """Return the signature of a request.

    :param path: as the service signs it: encoded twice, except for S3.
    :param query: percent-encoded, its parameters sorted by name.
    :param headers: the headers to sign; their names are in lower case.
    :param payload: the body's SHA-256, or ``UNSIGNED-PAYLOAD``.
    """
    canonical = "\n".join(
        [
            method,
            path,
            query,
            *(f"{name}:{' '.join(value.split())}" for name, value in sorted(headers.items())),
            "",
            names_of(headers),
            payload,
        ]
    )
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    text = "\n".join([ALGORITHM, scope.stamp, str(scope), digest])
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
