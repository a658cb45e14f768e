"""Sign many small requests to one service (Signature Version 4), cheaper than botocore's signer.

The signing key changes only with the day and the credentials, so a request costs two SHA-256 and
two HMACs.
"""

from __future__ import annotations

import hashlib
from typing import Protocol
from urllib.parse import quote

from chalicelib.aws.sigv4 import (
    ALGORITHM,
    Credentials,
    SignatureScope,
    names_of,
    signature,
    signing_key,
)


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
        scope = SignatureScope.at(time, self._region, self._service)
        digest = hashlib.sha256(body).hexdigest()
        headers = {"host": self._host}
        if self._service == "s3":
            headers["x-amz-content-sha256"] = digest
        headers["x-amz-date"] = scope.stamp
        if credentials.token:
            headers["x-amz-security-token"] = credentials.token
        signed = signature(
            self._signing_key(scope, credentials),
            scope,
            method,
            path if self._service == "s3" else quote(path, safe="/-_.~"),
            query,
            headers,
            digest,
        )
        headers["authorization"] = (
            f"{ALGORITHM} Credential={credentials.access_key}/{scope}, "
            f"SignedHeaders={names_of(headers)}, Signature={signed}"
        )
        return headers

    def _signing_key(self, scope: SignatureScope, credentials: Credentials) -> bytes:
        if self._cached != (scope.day, credentials.secret_key):
            self._key = signing_key(credentials.secret_key, scope)
            self._cached = (scope.day, credentials.secret_key)
        return self._key
