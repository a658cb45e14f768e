"""What a browser offers as WebSocket subprotocols: ``sheen``, and its ticket beside it. Pure."""

PROTOCOL = "sheen"
_TICKET = "ticket."


def ticket_in(header: str) -> str | None:
    """Return the ticket in a ``Sec-WebSocket-Protocol`` header; None when there is none, or ``sheen`` is not offered.

    >>> ticket_in("sheen, ticket.abc.def")
    'abc.def'
    """
    offered = [token.strip() for token in header.split(",")]
    if PROTOCOL not in offered:
        return None
    return next((token.removeprefix(_TICKET) for token in offered if token.startswith(_TICKET)), None)
