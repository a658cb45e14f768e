"""HTTP headers that nobody passes on from one side to the other. Pure."""

from collections.abc import Iterable

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
"""Headers by which R, agent and Lambdas know one another (FACTS S2): no visitor may send them, R may not say them, nobody sees them."""


def passing(headers: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return the headers that go on to the other side, either way: none of one hop, which ``Connection`` may name, and none that are ours.

    >>> passing([("Connection", "close, X-Trace"), ("X-Trace", "1"), ("Sheen-Session", "2"), ("Accept", "*/*")])
    [('Accept', '*/*')]
    """
    every = list(headers)
    named = {token.strip().lower() for name, value in every if name.lower() == "connection" for token in value.split(",")}
    return [(name, value) for name, value in every if (low := name.lower()) not in _HOP_BY_HOP | named and not low.startswith(_OURS)]
