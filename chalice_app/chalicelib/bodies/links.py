"""Presigned URLs of the bucket's objects for browsers, on whatever host they know S3 by. Pure."""

import re
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import quote, urlsplit

from chalicelib.bodies.errors import NoHost
from chalicelib.bodies.presign import Signing, presigned

_HOST = re.compile(r"[A-Za-z0-9.-]{1,253}(:[0-9]{1,5})?\Z|\[[0-9A-Fa-f:.]{2,45}\](:[0-9]{1,5})?\Z")


class Links(NamedTuple):
    """Where browsers reach the bucket."""

    bucket: str
    region: str
    url: str = ""
    """Absolute, ``/`` for the page's own host, or empty for AWS's own endpoint."""

    def link(
        self,
        signing: Signing,
        method: str,
        key: str,
        host: str,
        now: float,
        seconds: int,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> str:
        """Return a presigned URL.

        ``host`` is the host to which the visitor's request was sent. Raise :class:`NoHost` if a URL
        for it cannot be signed.
        """
        own = self.url == "/"
        if own and not _HOST.match(host):
            raise NoHost(f"the request's Host is {host[:80]!r}: a URL for it cannot be signed")
        origin = self.url.rstrip("/") or f"https://s3.{self.region}.amazonaws.com"
        url = presigned(
            method,
            f"{f'http://{host}' if own else origin}/{self.bucket}/{quote(key, safe='/-_.~')}",
            signing,
            now,
            seconds,
            query,
            headers,
        )
        if not own:
            return url
        parts = urlsplit(url)
        return f"{parts.path}?{parts.query}"
