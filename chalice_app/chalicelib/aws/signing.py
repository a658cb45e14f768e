"""Sign many small requests to one service (Signature Version 4), cheaper than botocore's signer.

The signing key changes only with the day and the credentials, so a request costs two SHA-256 and
two HMACs.
"""

from __future__ import annotations

import hashlib
import hmac
from datetime import UTC, datetime
from typing import NamedTuple, Protocol
from urllib.parse import quote


class Credentials(NamedTuple):
    """An AWS access key, with the session token of a role's key."""

    access_key: str
    secret_key: str
    token: str | None


class FrozenCredentials(Protocol):
    """botocore's ``ReadOnlyCredentials``."""

    @property
    def access_key(self) -> str: ...
    @property
    def secret_key(self) -> str: ...
    @property
    def token(self) -> str | None: ...


class CredentialSource(Protocol):
    """botocore's ``Credentials``. They renew themselves when asked, with blocking I/O."""

    def get_frozen_credentials(self) -> FrozenCredentials: ...


class Signer:
    """Signs requests to ``host`` for ``service`` in ``region``."""

    def __init__(self, region: str, host: str, service: str = "execute-api") -> None:
        self._region = region
        self._host = host
        self._service = service
        self._cached: tuple[str, str] | None = None
        self._key = b""

    def headers(
        self,
        method: str,
        path: str,
        body: bytes,
        credentials: Credentials,
        time: float,
        query: str = "",
    ) -> dict[str, str]:
        """Return the headers that sign a request.

        :param path: percent-encoded as on the wire. It is encoded once more for the signature, as
            every service but S3 requires.
        :param query: percent-encoded, its parameters sorted by name.
        :param time: now, in seconds since 1970.
        """
        stamp = datetime.fromtimestamp(time, UTC).strftime("%Y%m%dT%H%M%SZ")
        scope = f"{stamp[:8]}/{self._region}/{self._service}/aws4_request"
        digest = hashlib.sha256(body).hexdigest()
        headers = {"host": self._host}
        if self._service == "s3":
            headers["x-amz-content-sha256"] = digest
        headers["x-amz-date"] = stamp
        if credentials.token:
            headers["x-amz-security-token"] = credentials.token
        names = ";".join(headers)
        canonical = "\n".join(
            [
                method,
                path if self._service == "s3" else quote(path, safe="/-_.~"),
                query,
                *(f"{name}:{value}" for name, value in headers.items()),
                "",
                names,
                digest,
            ]
        )
        text = "\n".join(
            ["AWS4-HMAC-SHA256", stamp, scope, hashlib.sha256(canonical.encode()).hexdigest()]
        )
        signature = hmac.new(
            self._signing_key(stamp[:8], credentials), text.encode(), hashlib.sha256
        ).hexdigest()
        headers["authorization"] = (
            f"AWS4-HMAC-SHA256 Credential={credentials.access_key}/{scope}, "
            f"SignedHeaders={names}, Signature={signature}"
        )
        return headers

    def _signing_key(self, day: str, credentials: Credentials) -> bytes:
        if self._cached != (day, credentials.secret_key):
            key = ("AWS4" + credentials.secret_key).encode()
            for part in (day, self._region, self._service, "aws4_request"):
                key = hmac.new(key, part.encode(), hashlib.sha256).digest()
            self._key = key
            self._cached = (day, credentials.secret_key)
        return self._key
