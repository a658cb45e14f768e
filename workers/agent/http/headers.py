"""Which headers pass between the visitor and R, and how they change on the way; no I/O."""

import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from urllib.parse import urlsplit

from multidict import CIMultiDict, CIMultiDictProxy

from chalicelib import headers as rules
from chalicelib.agents import protocol

VISITOR = "Sheen-Visitor"
"""The visitor's address, and the scheme, name and port of the request.

A worker's unix socket cannot tell these. Apps do not see this header.
"""

CREDENTIALS = "Shiny-Server-Credentials"
"""Who is signed in, as JSON in ASCII. Shiny makes ``session$user`` and ``session$groups`` of it.

No visitor's header of that name, in any spelling, comes this far (:mod:`chalicelib.headers`).
"""
LONGEST_CREDENTIALS = 60_000
"""Bytes of :data:`CREDENTIALS` that R takes."""

_CONDITIONAL = frozenset(
    {"if-none-match", "if-modified-since", "if-match", "if-unmodified-since", "if-range", "range"}
)
_OF_ONE_PAGE = frozenset(
    {
        "accept",
        "accept-encoding",
        "upgrade-insecure-requests",
        "cache-control",
        "pragma",
        "referer",
        "priority",
    }
)
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[0-9A-Za-z._-]+)(?::([0-9]{1,5}))?\Z")
_ADDRESS = re.compile(r"[0-9A-Fa-f:.]{2,45}\Z")
_UNWRITABLE = re.compile(r"[^\t -~\u0080-\u00ff]")
"""Characters that the headers of a WebSocket's request cannot contain.

A visitor may send any bytes.
"""
_GONE = re.compile(r"max-age\s*=\s*(0|-)|expires\s*=.*\b(1970|1969)\b", re.IGNORECASE)
"""How servers say that a cookie is to be deleted."""
_OF_ONE_BODY = frozenset(
    {
        "content-length",
        "content-encoding",
        "content-md5",
        "digest",
        "etag",
        "last-modified",
        "accept-ranges",
        "cache-control",
        "expires",
    }
)


def to_worker(
    headers: CIMultiDictProxy[str],
    base: str,
    secret: str,
    *,
    page: bool,
    longest: int = LONGEST_CREDENTIALS,
    more: Collection[str] = (),
) -> CIMultiDict[str]:
    """Return a visitor's headers as a worker gets them.

    These are the headers in :data:`chalicelib.headers.TO_WORKER`, and those that the agent adds. A
    ``page`` is requested whole: it gets a ticket of its own, so the browser's copy is of no use.
    ``longest`` is the most bytes of :data:`CREDENTIALS` that the worker takes.
    ``more`` are the app's ``whitelist_headers``.
    """
    result = CIMultiDict[str]()
    for name, value in rules.to_worker(headers.items(), more):
        if not page or name.lower() not in _CONDITIONAL:
            result.add(name, value)
    result["Accept-Encoding"] = "identity"
    result["Shiny-Shared-Secret"] = secret
    result["X-Forwarded-Prefix"] = base or "/"
    if "Host" in result:
        result["X-Forwarded-Host"] = result["Host"]
    result[VISITOR] = visitor(headers)
    user = protocol.user_of(headers.getall(protocol.USER, []))
    if user is not None:
        result[CREDENTIALS] = credentials(*user, longest)
    return result


def credentials(name: str, groups: Sequence[str], longest: int) -> str:
    """Return :data:`CREDENTIALS` for a user, with as many groups as fit.

    >>> credentials("kim", ["sales", "café"], 100)
    '{"user": "kim", "groups": ["sales", "caf\\\\u00e9"]}'
    """
    room = longest - len(json.dumps({"user": name, "groups": []}))
    fitting = []
    for group in groups:
        room -= len(json.dumps(group)) + len(", ")
        if room < 0:
            break
        fitting.append(group)
    return json.dumps({"user": name, "groups": fitting})


def visitor(headers: Mapping[str, str]) -> str:
    """Return the value of :data:`VISITOR` for a visitor's headers.

    Anything that is unknown, or does not fit there, is ``-``.

    >>> visitor({"host": "example.com", "x-forwarded-proto": "https", "sheen-address": "192.0.2.1"})
    '192.0.2.1 https example.com 443'
    """
    said = {name.lower(): value for name, value in headers.items()}
    scheme = "https" if said.get("x-forwarded-proto") == "https" else "http"
    host = _HOST.match(said.get("x-forwarded-host", "") or said.get("host", ""))
    name, port = (host[1], host[2]) if host else ("-", None)
    address = said.get(protocol.ADDRESS, "")
    return (
        f"{address if _ADDRESS.match(address) else '-'} {scheme} {name} "
        f"{port or ('443' if scheme == 'https' else '80')}"
    )


def of_socket(page: CIMultiDict[str], set_cookies: Iterable[str] = ()) -> CIMultiDict[str]:
    """Return the headers of the WebSocket to R for a page.

    ``page`` are the headers with which R was asked for the page. ``set_cookies`` are the
    ``Set-Cookie`` headers of R's answer.

    A browser that reaches R itself sends both requests to one host, with the same headers except
    those about a single page, and with an ``Origin``.
    """
    result = CIMultiDict[str]()
    for name, value in page.items():
        low = name.lower()
        if (
            low in ("host", "cookie", "origin", *_OF_ONE_PAGE)
            or low.startswith(("content-", "sec-"))
            or low in _CONDITIONAL
        ):
            continue
        result.add(name, _UNWRITABLE.sub("?", value))
    cookies = _cookies("; ".join(page.getall("Cookie", [])), set_cookies)
    if cookies:
        result["Cookie"] = _UNWRITABLE.sub("?", cookies)
    scheme = "https" if page.get("X-Forwarded-Proto") == "https" else "http"
    host = page.get("X-Forwarded-Host", "") or page.get("Host", "")
    if _HOST.match(host):
        result["Origin"] = f"{scheme}://{host}"
    return result


def host_of(page: CIMultiDict[str]) -> str:
    """Return the host from which a page was requested; ``localhost`` if there is none."""
    host = page.get("Host", "")
    return host if _HOST.match(host) else "localhost"


def _cookies(cookie: str, set_cookies: Iterable[str]) -> str:
    """Return the cookies that the browser sends after these ``Set-Cookie`` headers.

    >>> _cookies("a=1; b=2", ["a=3; Path=/", "b=; Max-Age=0", "c=4"])
    'a=3; c=4'
    """
    kept = [pair.strip() for pair in cookie.split(";") if pair.strip()]
    for header in set_cookies:
        pair, *attributes = (part.strip() for part in header.split(";"))
        name = pair.partition("=")[0]
        at = next((at for at, known in enumerate(kept) if known.partition("=")[0] == name), None)
        gone = any(_GONE.match(attribute) for attribute in attributes)
        if at is not None:
            kept[at : at + 1] = [] if gone else [pair]
        elif not gone:
            kept.append(pair)
    return "; ".join(kept)


def from_worker(headers: CIMultiDictProxy[str], base: str, host: str) -> CIMultiDict[str]:
    """Return a worker's headers as the visitor gets them.

    These are the headers in :data:`chalicelib.headers.FROM_WORKER`. ``host`` is the host that the
    visitor asked.
    """
    return CIMultiDict[str](
        (name, public_location(value, base, host) if name.lower() == "location" else value)
        for name, value in rules.from_worker(headers.items(), base)
    )


def largest(headers: Mapping[str, str]) -> int | None:
    """Return how many bytes the caller can take; None for any number."""
    said = headers.get(protocol.LARGEST, "")
    return int(said) if said.isdigit() else None


def accepts_gzip(headers: Mapping[str, str]) -> bool:
    """Return whether the visitor's browser accepts gzip.

    Only an explicit offer counts: no ``*``, no ``q=0``.
    """
    offers = (offer.partition(";") for offer in headers.get("Accept-Encoding", "").split(","))
    return any(
        name.strip().lower() == "gzip" and "q=0" not in more.replace(" ", "").replace("q=0.", "")
        for name, _, more in offers
    )


def packed(headers: CIMultiDict[str]) -> CIMultiDict[str]:
    """Return the headers of an answer whose body is gzipped on the way.

    It is another representation, of which no ranges are given.
    """
    result = CIMultiDict[str](
        (name, value)
        for name, value in headers.items()
        if name.lower() not in ("content-length", "accept-ranges")
    )
    etag = result.get("ETag", "")
    if etag and not etag.startswith("W/"):
        result["ETag"] = f"W/{etag}"
    result["Content-Encoding"] = "gzip"
    if "accept-encoding" not in ", ".join(result.getall("Vary", [])).lower():
        result.add("Vary", "Accept-Encoding")
    return result


def is_packable(headers: Mapping[str, str]) -> bool:
    """Return whether an answer with these headers can be gzipped, and becomes smaller by that.

    Downloads are excluded, because it is better that they can be resumed.
    """
    kind = headers.get("Content-Type", "").partition(";")[0].strip().lower()
    return (
        "Content-Encoding" not in headers
        and "no-transform" not in headers.get("Cache-Control", "").lower()
        and not headers.get("Content-Disposition", "").strip().lower().startswith("attachment")
        and (kind.startswith("text/") or kind.endswith(("json", "javascript", "xml")))
    )


def of_page(headers: CIMultiDict[str], length: int) -> CIMultiDict[str]:
    """Return the headers of a page that was changed for one visitor; no cache may keep it."""
    result = CIMultiDict[str](
        (name, value) for name, value in headers.items() if name.lower() not in _OF_ONE_BODY
    )
    result["Content-Length"] = str(length)
    result["Cache-Control"] = "private, no-store"
    return result


def public_location(location: str, base: str, host: str) -> str:
    """Return R's redirect as the visitor can follow it.

    R does not know the app's public path.

    >>> public_location("/report?x=1", "/team/sales", "example.com")
    '/team/sales/report?x=1'
    """
    if not base or location.startswith("//"):
        return location
    parts = urlsplit(location)
    if parts.scheme:
        if parts.scheme not in ("http", "https") or parts.netloc != host:
            return location
    elif not location.startswith("/"):
        return location
    if parts.path == base or parts.path.startswith(base + "/"):
        return location
    return parts._replace(path=base + (parts.path or "/")).geturl()
