"""The WebSocket subprotocols that a browser offers: ``sheen``, and its ticket beside it. Pure."""

PROTOCOL = "sheen"
_TICKET = "ticket."


def ticket_in(header: str) -> str | None:
    """Return the ticket in a ``Sec-WebSocket-Protocol`` header, or None.

    Return None if the header has no ticket, or does not offer ``sheen``.

    >>> ticket_in("sheen, ticket.abc.def")
    'abc.def'
    """
    offered = [token.strip() for token in header.split(",")]
    if PROTOCOL not in offered:
        return None
    return next(
        (token.removeprefix(_TICKET) for token in offered if token.startswith(_TICKET)), None
    )
