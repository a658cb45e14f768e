"""The HTTP headers that pass between a visitor and an app: a list for each direction. Pure.

A header that is not on a list does not pass. The lists hold exact names, so a name with an
underscore never passes. A worker reads headers as CGI variables, in which
``Shiny_Server_Credentials`` and ``Shiny-Server-Credentials`` are the same (FACTS R9).

The apps of a deployment share one origin. So an app may not send a header that a browser obeys for
the whole origin, and sets cookies for its own path only.
"""

import re
from collections.abc import Collection, Iterable

from chalicelib import cookies

Headers = Iterable[tuple[str, str]]

TO_WORKER = {
    "accept": "which formats the app may answer with",
    "accept-encoding": "the agent reads it, and asks the worker for a plain body",
    "accept-language": "which language the app may answer in",
    "access-control-request-headers": "a CORS preflight, which the app answers for its own URLs",
    "access-control-request-method": "as above",
    "authorization": "an app may have a sign-in or an API key of its own; Sheen has none that uses it",  # noqa: E501
    "cache-control": "says whether a stored answer will do",
    "content-disposition": "describes the body",
    "content-encoding": "describes the body",
    "content-language": "describes the body",
    "content-length": "describes the body",
    "content-range": "describes the body",
    "content-type": "describes the body",
    "cookie": "the app's own cookies; Sheen's are taken out",
    "dnt": "the visitor's wish not to be tracked",
    "host": "the host that the visitor asked",
    "if-match": "a conditional request",
    "if-modified-since": "a conditional request",
    "if-none-match": "a conditional request",
    "if-range": "a conditional request",
    "if-unmodified-since": "a conditional request",
    "last-event-id": "where an EventSource goes on",
    "origin": "which page asks; a page's script cannot set it",
    "pragma": "an old form of cache-control",
    "priority": "how urgent the browser thinks it is",
    "range": "a part of a file",
    "referer": "which page asks",
    "save-data": "the visitor's wish for less data",
    "traceparent": "joins the app's traces to the caller's",
    "tracestate": "as above",
    "upgrade-insecure-requests": "the browser prefers https",
    "user-agent": "which browser it is",
    "x-amzn-trace-id": "the gateway's id of the request, which its logs have",
    "x-api-key": "an API key of the app's own",
    "x-csrf-token": "a web framework's guard against foreign forms",
    "x-csrftoken": "as above",
    "x-forwarded-for": "the visitor's address; the Lambda replaces what the visitor says",
    "x-forwarded-host": "the host that the visitor asked; as above",
    "x-forwarded-port": "the port that the visitor asked; the gateway replaces what the visitor says",  # noqa: E501
    "x-forwarded-proto": "http or https; as above",
    "x-requested-with": "JavaScript libraries mark their requests with it",
    "x-xsrf-token": "as x-csrf-token",
}
"""The headers of a visitor's request that a worker gets, and why.

A header that claims who the visitor is (``Remote-User``, ``X-Auth-Request-Email`` and the like) may
come from a proxy only, not from a visitor. ``Proxy`` would become ``HTTP_PROXY``.
"""

_FAMILIES_TO_WORKER = ("hx-", "sec-", "x-app-")
"""htmx's headers, those that only a browser itself can set, and an app's own for its script."""
_HANDSHAKE = "sec-websocket-"
"""Headers between a browser and the gateway."""

FROM_WORKER = {
    "accept-ranges": "whether parts of the file can be asked for",
    "access-control-allow-credentials": "CORS for the app's own URLs",
    "access-control-allow-headers": "as above",
    "access-control-allow-methods": "as above",
    "access-control-allow-origin": "as above",
    "access-control-expose-headers": "as above",
    "access-control-max-age": "as above",
    "allow": "the methods that a URL takes",
    "cache-control": "how long this answer may be kept",
    "content-disposition": "a download and its name",
    "content-encoding": "describes the body",
    "content-language": "describes the body",
    "content-length": "describes the body",
    "content-location": "describes the body",
    "content-range": "describes the body",
    "content-security-policy": "restricts this page",
    "content-security-policy-report-only": "as above",
    "content-type": "describes the body",
    "cross-origin-embedder-policy": "restricts this page",
    "cross-origin-opener-policy": "as above",
    "cross-origin-resource-policy": "as above",
    "etag": "the body's version",
    "expires": "how long this answer may be kept",
    "last-modified": "the body's version",
    "link": "what this page will need",
    "location": "a redirect; the agent puts the app's public path before it",
    "permissions-policy": "restricts this page",
    "pragma": "an old form of cache-control",
    "referrer-policy": "what this page tells of itself",
    "refresh": "a redirect of this page",
    "retry-after": "when to ask again",
    "server-timing": "measurements of this answer",
    "set-cookie": "a cookie of the app's own; its path and name are held to the app",
    "sourcemap": "where this script's source is",
    "timing-allow-origin": "who may see measurements of this answer",
    "vary": "what this answer depends on",
    "www-authenticate": "a sign-in of the app's own",
}
"""The headers of a worker's answer that a visitor gets, and why.

Each describes this one answer.

These are left out, because a browser obeys them for the whole origin: ``Accept-CH``, ``Alt-Svc``,
``Clear-Site-Data``, ``Expect-CT``, ``NEL``, ``Origin-Agent-Cluster``, ``Public-Key-Pins``,
``Report-To``, ``Service-Worker-Allowed``, ``Set-Login``, ``Strict-Transport-Security``.
"""

_FAMILIES_FROM_WORKER = ("hx-", "x-")
"""htmx's headers, and an app's own headers for its script.

The few of these that a browser obeys concern one answer.
"""
_OF_SERVERS = ("x-accel-", "x-amz", "x-cache", "x-edge-", "x-forwarded-", "x-sendfile")
"""Headers that proxies, caches and gateways send one another."""

_HOP_BY_HOP = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""Headers that belong to one hop (RFC 9110, 7.6.1)."""
_OURS = ("sheen-", "shiny-server-credentials", "shiny-shared-secret")
"""Headers by which R, agent and Lambdas recognise one another (FACTS S2).

No visitor and no R process may send them, and nobody sees them.
"""
_CONTROLS = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_UNDECODED = re.compile(r"[\udc80-\udcff]")
_SURROGATES = re.compile(r"[\ud800-\udfff]")


def to_agent(headers: Headers, more: Collection[str] = ()) -> list[tuple[str, str]]:
    """Return the headers of a visitor that an agent gets.

    ``more`` are names in lower case that pass beside the usual ones (``whitelist_headers``).

    >>> to_agent([("Cookie", "sheen-ticket=1; a=2"), ("X_Forwarded_Prefix", "/evil"), ("Remote-User", "admin")])
    [('Cookie', 'sheen-ticket=1; a=2')]
    """  # noqa: E501
    return [
        pair for pair in passing(headers) if _is_for_worker(low := pair[0].lower()) or low in more
    ]


def to_worker(headers: Headers, more: Collection[str] = ()) -> list[tuple[str, str]]:
    """Return the headers of a visitor that a worker gets, by HTTP or on its WebSocket.

    Sheen's cookies are taken out. ``more`` is as :func:`to_agent` takes it.

    >>> to_worker([("Cookie", "sheen-ticket=1; a=2"), ("User-Agent", "curl")])
    [('Cookie', 'a=2'), ('User-Agent', 'curl')]
    """
    passed = []
    for name, value in to_agent(headers, more):
        kept = cookies.of_app(value) if name.lower() == "cookie" else value
        if kept or name.lower() != "cookie":
            passed.append((name, kept))
    return passed


def from_worker(headers: Headers, base: str) -> list[tuple[str, str]]:
    """Return the headers of a worker that a visitor gets.

    ``base`` is the app's public path without a slash at its end.

    >>> from_worker([("Set-Cookie", "a=1; Path=/"), ("Clear-Site-Data", "*"), ("X-Own", "1")], "/sales")
    [('Set-Cookie', 'a=1; Path=/sales/'), ('X-Own', '1')]
    """  # noqa: E501
    passed = []
    for name, value in passing(headers):
        low = name.lower()
        if low == "set-cookie":
            held = cookies.held_to(value, base)
            if held is not None:
                passed.append((name, held))
        elif low in FROM_WORKER or (
            low.startswith(_FAMILIES_FROM_WORKER)
            and "_" not in low
            and not low.startswith(_OF_SERVERS)
        ):
            passed.append((name, value))
    return passed


def passing(headers: Headers) -> list[tuple[str, str]]:
    """Return the headers that may go on to the other side, in either direction.

    Their values are such that every HTTP library can send them. Left out are the headers of one
    hop, which ``Connection`` may name, and Sheen's own.

    >>> passing([("Connection", "close, X-Trace"), ("X-Trace", "1"), ("Sheen-Session", "2"), ("Accept", "*/*")])
    [('Accept', '*/*')]
    """  # noqa: E501
    every = list(headers)
    named = {
        token.strip().lower()
        for name, value in every
        if name.lower() == "connection"
        for token in value.split(",")
    }
    return [
        (name, text(value))
        for name, value in every
        if (low := name.lower()) not in _HOP_BY_HOP | named and not low.startswith(_OURS)
    ]


def text(value: str) -> str:
    """Return a header's value as one line of text that can be sent as UTF-8.

    A value may come with any bytes. Bytes that are not UTF-8 were decoded to lone surrogates, and
    are read as Latin-1. Control characters, which a header may not have, are left out.

    >>> text("caf\\udce9\\r\\n x\\x00")
    'café x'
    """
    if value.isascii() and value.isprintable():
        return value
    value = _UNDECODED.sub(lambda found: chr(ord(found[0]) - 0xDC00), value)
    return _CONTROLS.sub("", _SURROGATES.sub("\N{REPLACEMENT CHARACTER}", value))


def from_latin_1(value: str) -> str:
    """Return a value as its sender wrote it.

    ``http.client`` reads the bytes of headers as Latin-1, and the agent writes UTF-8.

    >>> from_latin_1("cafÃ©"), from_latin_1("caf\\xe9")
    ('café', 'café')
    """
    try:
        return value.encode("latin-1").decode()
    except UnicodeError:
        return value


def _is_for_worker(name: str) -> bool:
    if name in TO_WORKER:
        return True
    return (
        name.startswith(_FAMILIES_TO_WORKER) and "_" not in name and not name.startswith(_HANDSHAKE)
    )
