"""Make presigned URLs of S3, by Signature Version 4. Pure.

botocore can do this too, but only for the one host that its client talks to. On one machine the
visitor reaches S3 by the page's own host, whatever its name is.
"""

import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import NamedTuple
from urllib.parse import quote, urlsplit


class Signing(NamedTuple):
    """The region and the credentials to sign with."""

    region: str
    access_key: str
    secret_key: str
    token: str | None


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
    stamp = datetime.fromtimestamp(now, UTC).strftime("%Y%m%dT%H%M%SZ")
    scope = f"{stamp[:8]}/{signing.region}/s3/aws4_request"
    signed = {"host": parts.netloc, **(headers or {})}
    names = ";".join(sorted(signed))
    asked = {
        **(query or {}),
        "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
        "X-Amz-Credential": f"{signing.access_key}/{scope}",
        "X-Amz-Date": stamp,
        "X-Amz-Expires": str(seconds),
        "X-Amz-SignedHeaders": names,
        **({"X-Amz-Security-Token": signing.token} if signing.token else {}),
    }
    canonical_query = "&".join(
        f"{quote(name, safe='-_.~')}={quote(value, safe='-_.~')}"
        for name, value in sorted(asked.items())
    )
    canonical = "\n".join(
        [
            method,
            parts.path,
            canonical_query,
            *(f"{name}:{' '.join(value.split())}" for name, value in sorted(signed.items())),
            "",
            names,
            "UNSIGNED-PAYLOAD",
        ]
    )
    text = "\n".join(
        ["AWS4-HMAC-SHA256", stamp, scope, hashlib.sha256(canonical.encode()).hexdigest()]
    )
    key = f"AWS4{signing.secret_key}".encode()
    for part in (stamp[:8], signing.region, "s3", "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    signature = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
    return f"{url}?{canonical_query}&X-Amz-Signature={signature}"
