"""A visitor's request, read from API Gateway's proxy event. Pure."""

import base64
from collections.abc import Mapping
from typing import Any, NamedTuple, Self
from urllib.parse import quote, urlencode

from chalicelib.identity.admission import SignedIn

EDGE_HEADER = "sheen-edge"
"""Header of requests that came through CloudFront, on a domain of the deployment's own."""


class VisitorRequest(NamedTuple):
    """One request.

    ``path`` is percent-encoded as the visitor sent it. Header names are in lower case, and values
    are in their original order.
    """

    method: str
    path: str
    base: str
    """The public URL's part before ``path``: the stage on API Gateway's own domain, else empty."""
    query: tuple[tuple[str, str], ...]
    headers: tuple[tuple[str, str], ...]
    body: bytes
    request_id: str
    source_ip: str = ""
    """The address that connected to API Gateway: the visitor's, or CloudFront's.

    See :mod:`chalicelib.visits.address`.
    """
    gateway_host: str = ""
    """The host under which API Gateway was reached, as the gateway itself says."""
    port: int | None = None
    """The port that the visitor connected to, if the deployment listens on several."""
    listener: str | None = None
    """The local address that the visitor connected to, likewise."""
    bare: bool = False
    """Whether the public URL is the stage's name without a slash at the end.

    A page's relative URLs would lead nowhere from there.
    """
    user: SignedIn | None = None
    """Who asks, as the login says; None if nobody is signed in, or if that is not known yet."""

    @classmethod
    def from_event(cls, event: Mapping[str, Any]) -> Self:
        """Read a REST proxy event (payload format 1.0)."""
        context = event["requestContext"]
        path = quote(event.get("path") or "/", safe="/%:@!$&'()*+,;=~-._")
        headers = tuple(
            (name.lower(), value) for name, value in _pairs(event.get("multiValueHeaders"))
        )
        # CloudFront adds the stage to the path by itself.
        by_edge = any(name == EDGE_HEADER for name, _ in headers)
        public = quote((not by_edge and context.get("path")) or path, safe="/%:@!$&'()*+,;=~-._")
        # For /STAGE, API Gateway gives the path "/"; only the context has the path without a slash.
        bare = path == "/" and not public.endswith("/")
        if bare:
            public += "/"
        body = event.get("body") or ""
        came_by = event.get("stageVariables") or {}
        return cls(
            method=event["httpMethod"],
            path=path,
            base=public[: -len(path)] if public != path and public.endswith(path) else "",
            query=_pairs(event.get("multiValueQueryStringParameters")),
            headers=headers,
            body=base64.b64decode(body) if event.get("isBase64Encoded") else body.encode(),
            request_id=context.get("requestId", ""),
            source_ip=(context.get("identity") or {}).get("sourceIp") or "",
            gateway_host=context.get("domainName") or "",
            port=int(came_by["port"]) if "port" in came_by else None,
            listener=came_by.get("address"),
            bare=bare,
        )

    def header(self, name: str) -> str:
        """Return the last value of a header, or an empty string if there is none."""
        return next((value for key, value in reversed(self.headers) if key == name), "")

    def parameter(self, name: str) -> str | None:
        """Return the first value of a query parameter, or None if there is none."""
        return next((value for key, value in self.query if key == name), None)

    @property
    def cookies(self) -> str:
        """All cookies, joined into one header."""
        return "; ".join(value for name, value in self.headers if name == "cookie")

    @property
    def secure(self) -> bool:
        """Whether the visitor came by https, as the gateway says."""
        return self.header("x-forwarded-proto") == "https"

    @property
    def url(self) -> str:
        """The public URL of this request, without its host."""
        return self.base + self.path + (f"?{self.query_string}" if self.query else "")

    def every(self, name: str) -> list[str]:
        """Return all values of a header."""
        return [value for key, value in self.headers if key == name]

    @property
    def by_edge(self) -> bool:
        """Whether the request came through CloudFront."""
        return bool(self.header(EDGE_HEADER))

    @property
    def host(self) -> str:
        """The host that the visitor requested; through CloudFront, ``Host`` is the gateway's."""
        return (self.by_edge and self.header("x-forwarded-host")) or self.header("host")

    @property
    def query_string(self) -> str:
        """The query as it is passed to the app, with duplicates in their order."""
        return urlencode(self.query, quote_via=quote)


def _pairs(values: Mapping[str, list[str]] | None) -> tuple[tuple[str, str], ...]:
    return tuple((name, value) for name, every in (values or {}).items() for value in every)
