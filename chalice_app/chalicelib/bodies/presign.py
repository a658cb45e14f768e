"""Make presigned URLs of S3, by Signature Version 4. Pure.

botocore can do this too, but only for the one host that its client talks to. On one machine the
visitor reaches S3 by the page's own host, whatever its name is.
"""

from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import quote, urlsplit

from chalicelib.aws.sigv4 import (
    ALGORITHM,
    Credentials,
    SignatureScope,
    names_of,
    signature,
    signing_key,
)


class Signing(NamedTuple):
    """The region and the credentials to sign with."""

    region: str
    credentials: Credentials


def presigned(
    method: str,
    url: str,
    signing: Signing,
    now: float,
    seconds: int,
    query: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
) -> str:
    """Return ``url`` with a signature that is valid for ``seconds`` from ``now``.

    ``url`` is ``scheme://host/bucket/key``, percent-encoded. A request with the result must send
    ``headers`` (lower-case names) exactly as given here.
    """
    parts = urlsplit(url)
    scope = SignatureScope.at(now, signing.region, "s3")
    key, token = signing.credentials.access_key, signing.credentials.token
    signed = {"host": parts.netloc, **(headers or {})}
    asked = {
        **(query or {}),
        "X-Amz-Algorithm": ALGORITHM,
        "X-Amz-Credential": f"{key}/{scope}",
        "X-Amz-Date": scope.stamp,
        "X-Amz-Expires": str(seconds),
        "X-Amz-SignedHeaders": names_of(signed),
        **({"X-Amz-Security-Token": token} if token else {}),
    }
    canonical_query = "&".join(
        f"{quote(name, safe='-_.~')}={quote(value, safe='-_.~')}"
        for name, value in sorted(asked.items())
    )
    made = signature(
        signing_key(signing.credentials.secret_key, scope),
        scope,
        method,
        parts.path,
        canonical_query,
        signed,
        "UNSIGNED-PAYLOAD",
    )
    return f"{url}?{canonical_query}&X-Amz-Signature={made}"
