"""Which headers pass between the visitor and R, and how they change on the way. Pure."""

from collections.abc import Mapping
from urllib.parse import urlsplit

from multidict import CIMultiDict, CIMultiDictProxy

from chalicelib.headers import passing

AGENT_KEY = "sheen-agent-key"
INSTANCE = "sheen-instance"
SESSION = "sheen-session"
VISITOR = "sheen-visitor"
BASE = "sheen-base"
LARGEST = "sheen-largest"
"""Bytes that the asker can take as an answer; without it any number."""

_CONDITIONAL = frozenset({"if-none-match", "if-modified-since", "if-match", "if-unmodified-since", "if-range", "range"})
_OF_ONE_BODY = frozenset(
    {"content-length", "content-encoding", "content-md5", "digest", "etag", "last-modified", "accept-ranges", "cache-control", "expires"}
)


def to_worker(headers: CIMultiDictProxy[str], base: str, secret: str, *, page: bool) -> CIMultiDict[str]:
    """Return what R gets of a visitor's headers.

    A ``page`` is asked for whole: it gets a ticket of its own, so a copy that the browser has is of no use.
    """
    result = CIMultiDict[str]()
    for name, value in passing(headers.items()):
        low = name.lower()
        if low in ("accept-encoding", "expect") or (page and low in _CONDITIONAL):
            continue
        result.add(name, value)
    result["Accept-Encoding"] = "identity"
    result["Shiny-Shared-Secret"] = secret
    result["X-Forwarded-Prefix"] = base or "/"
    if "Host" in result:
        result.setdefault("X-Forwarded-Host", result["Host"])
    return result


def from_worker(headers: CIMultiDictProxy[str], base: str, host: str) -> CIMultiDict[str]:
    """Return what the visitor gets of R's headers. ``host`` is the host that the visitor asked."""
    return CIMultiDict[str](
        (name, public_location(value, base, host) if name.lower() == "location" else value) for name, value in passing(headers.items())
    )


def largest(headers: Mapping[str, str]) -> int | None:
    """Return how many bytes the asker can take; None: any number."""
    said = headers.get(LARGEST, "")
    return int(said) if said.isdigit() else None


def accepts_gzip(headers: Mapping[str, str]) -> bool:
    """Whether the visitor's browser takes gzip. Only what is said outright counts: no ``*``, no ``q=0``."""
    offers = (offer.partition(";") for offer in headers.get("Accept-Encoding", "").split(","))
    return any(name.strip().lower() == "gzip" and "q=0" not in more.replace(" ", "").replace("q=0.", "") for name, _, more in offers)


def of_page(headers: CIMultiDict[str], length: int) -> CIMultiDict[str]:
    """Return the headers of a page that was changed for one visitor: no cache may keep it."""
    result = CIMultiDict[str]((name, value) for name, value in headers.items() if name.lower() not in _OF_ONE_BODY)
    result["Content-Length"] = str(length)
    result["Cache-Control"] = "private, no-store"
    return result


def public_location(location: str, base: str, host: str) -> str:
    """Return R's redirect as the visitor can follow it: R knows nothing of the app's public path.

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
