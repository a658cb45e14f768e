"""Verify AWS Signature Version 4, in the Authorization header and in presigned URLs.

This module is pure: a request's parts go in, the key comes out. Chunk signatures of
``STREAMING-AWS4-…`` bodies are not checked. Their seed is the request's signature, which is
checked, and only loopback lies between a client and this endpoint.
"""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from urllib.parse import quote, unquote

from infra.emulator.aws_errors import AwsError
from infra.emulator.keys import AccessKey

ALGORITHM = "AWS4-HMAC-SHA256"
CLOCK_SKEW_SECONDS = 15 * 60
LONGEST_PRESIGNED_SECONDS = 7 * 24 * 3600
UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD"


@dataclass(frozen=True, slots=True)
class Signature:
    """A request's unverified claims about its signature."""

    key_id: str
    date: str
    region: str
    service: str
    signed_headers: tuple[str, ...]
    signature: str
    timestamp: str
    expires: int | None
    """Validity of a presigned URL in seconds; None for a signature in the header."""
    token: str

    @property
    def scope(self) -> str:
        return f"{self.date}/{self.region}/{self.service}/aws4_request"


def read_signature(headers: Mapping[str, str], query: Mapping[str, str]) -> Signature | None:
    """Return the request's signature, or None if it has none.

    Raise :class:`AwsError` if the signature cannot be parsed.
    """
    authorization = headers.get("Authorization", "")
    if authorization.startswith(ALGORITHM):
        return _from_header(authorization, headers)
    if query.get("X-Amz-Algorithm") == ALGORITHM:
        return _from_query(query)
    return None


def verify(
    signature: Signature,
    key: AccessKey | None,
    *,
    method: str,
    raw_path: str,
    raw_query: str,
    headers: Mapping[str, str],
    payload_hash: str,
    now: float,
) -> AccessKey:
    """Return ``key`` if it made the signature; otherwise raise AWS's own error.

    ``raw_path`` and ``raw_query`` are as on the request line. ``payload_hash`` is the body's
    SHA-256, or the value of ``x-amz-content-sha256``.
    """
    if key is None:
        raise _unknown_key(signature)
    if key.token and not hmac.compare_digest(key.token.encode(), signature.token.encode()):
        raise AwsError(
            "InvalidToken" if signature.service == "s3" else "UnrecognizedClientException",
            _BAD_TOKEN,
            403,
        )
    _check_time(signature, now)
    canonical = "\n".join(
        (
            method,
            _canonical_path(raw_path, signature.service),
            _canonical_query(raw_query),
            *(f"{name}:{_header_value(headers, name)}" for name in signature.signed_headers),
            "",
            ";".join(signature.signed_headers),
            payload_hash,
        )
    )
    to_sign = "\n".join(
        (
            ALGORITHM,
            signature.timestamp,
            signature.scope,
            hashlib.sha256(canonical.encode()).hexdigest(),
        )
    )
    signing_key = _signing_key(key.secret, signature.date, signature.region, signature.service)
    expected = hmac.new(signing_key, to_sign.encode(), hashlib.sha256).hexdigest()
    if not hmac.compare_digest(expected.encode(), signature.signature.encode()):
        raise AwsError(
            "SignatureDoesNotMatch" if signature.service in _XML else "InvalidSignatureException",
            _MISMATCH,
            403,
        )
    return key


_XML = {"s3", "sts", "iam"}
_MISMATCH = (
    "The request signature we calculated does not match the signature you provided. "
    "Check your AWS Secret Access Key and signing method. Consult the service "
    "documentation for details."
)
_BAD_TOKEN = "The security token included in the request is invalid."  # noqa: S105  (a message)


def _from_header(authorization: str, headers: Mapping[str, str]) -> Signature:
    fields = dict(
        part.strip().partition("=")[::2]
        for part in authorization.removeprefix(ALGORITHM).split(",")
        if "=" in part
    )
    try:
        key_id, date, region, service, _ = fields["Credential"].rsplit("/", 4)
        return Signature(
            key_id=key_id,
            date=date,
            region=region,
            service=service,
            signed_headers=tuple(fields["SignedHeaders"].lower().split(";")),
            signature=fields["Signature"],
            timestamp=headers.get("X-Amz-Date", ""),
            expires=None,
            token=headers.get("X-Amz-Security-Token", ""),
        )
    except (KeyError, ValueError):
        raise AwsError(
            "IncompleteSignatureException",
            f"Authorization header is not complete: {authorization[:60]}",
        ) from None


def _from_query(query: Mapping[str, str]) -> Signature:
    try:
        key_id, date, region, service, _ = query["X-Amz-Credential"].rsplit("/", 4)
        return Signature(
            key_id=key_id,
            date=date,
            region=region,
            service=service,
            signed_headers=tuple(query["X-Amz-SignedHeaders"].lower().split(";")),
            signature=query["X-Amz-Signature"],
            timestamp=query["X-Amz-Date"],
            expires=int(query["X-Amz-Expires"]),
            token=query.get("X-Amz-Security-Token", ""),
        )
    except (KeyError, ValueError):
        raise AwsError(
            "AuthorizationQueryParametersError", "Error parsing the X-Amz-… query parameters"
        ) from None


def _unknown_key(signature: Signature) -> AwsError:
    if signature.service == "s3":
        return AwsError(
            "InvalidAccessKeyId",
            "The AWS Access Key Id you provided does not exist in our records.",
            403,
        )
    if signature.service in _XML:
        return AwsError("InvalidClientTokenId", _BAD_TOKEN, 403)
    return AwsError("UnrecognizedClientException", _BAD_TOKEN, 403)


def _check_time(signature: Signature, now: float) -> None:
    try:
        signed_at = (
            datetime.strptime(signature.timestamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()
        )
    except ValueError:
        raise AwsError(
            "IncompleteSignatureException", f"X-Amz-Date is {signature.timestamp!r}", 403
        ) from None
    if not signature.timestamp.startswith(signature.date):
        raise AwsError(
            "SignatureDoesNotMatch", "Date in Credential scope does not match X-Amz-Date", 403
        )
    if signature.expires is not None:
        if not 0 < signature.expires <= LONGEST_PRESIGNED_SECONDS:
            raise AwsError(
                "AuthorizationQueryParametersError",
                "X-Amz-Expires must be between 1 and 604800 seconds",
            )
        if now > signed_at + signature.expires:
            raise AwsError("AccessDenied", "Request has expired", 403)
        if signed_at > now + CLOCK_SKEW_SECONDS:
            raise AwsError("AccessDenied", "Request is not yet valid", 403)
    elif abs(now - signed_at) > CLOCK_SKEW_SECONDS:
        code = "RequestTimeTooSkewed" if signature.service == "s3" else "InvalidSignatureException"
        raise AwsError(
            code, "The difference between the request time and the current time is too large.", 403
        )


def _canonical_path(raw_path: str, service: str) -> str:
    """Return the path to sign.

    S3 signs the path as sent. All others sign it normalised and encoded once more.
    """
    if service == "s3":
        return quote(unquote(raw_path), safe="/~") or "/"
    parts: list[str] = []
    for part in raw_path.split("/"):
        if part == "..":
            if parts:
                parts.pop()
        elif part and part != ".":
            parts.append(part)
    path = "/" + "/".join(parts) + ("/" if parts and raw_path.endswith("/") else "")
    return quote(path, safe="/~")


def _canonical_query(raw_query: str) -> str:
    pairs = []
    for item in raw_query.split("&"):
        name, _, value = item.partition("=")
        if name and name != "X-Amz-Signature":
            pairs.append((quote(unquote(name), safe="-_.~"), quote(unquote(value), safe="-_.~")))
    return "&".join(f"{name}={value}" for name, value in sorted(pairs))


def _header_value(headers: Mapping[str, str], name: str) -> str:
    return " ".join(headers.get(name, "").split())


@lru_cache(maxsize=512)
def _signing_key(secret: str, date: str, region: str, service: str) -> bytes:
    key = f"AWS4{secret}".encode()
    for part in (date, region, service, "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return key
