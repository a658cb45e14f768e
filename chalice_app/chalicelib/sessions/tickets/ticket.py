"""Issue and check tickets. Pure."""

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Callable
from typing import NamedTuple

from chalicelib.instances.model import InstanceRef
from chalicelib.sessions.tickets.errors import BadTicket

LIFETIME = 600.0
"""Seconds that a ticket is valid. The relay hands out a new one well before."""
_LONGEST = 1024


class Ticket(NamedTuple):
    """The claims of a ticket: which session, on which instance, until when (epoch seconds)."""

    session_id: str
    ref: InstanceRef
    expires_at: float


def issue(
    session_id: str, ref: InstanceRef, key: str, now: float, lifetime: float = LIFETIME
) -> str:
    """Return a ticket for the session, signed with ``key``.

    ``key`` is the instance's key for tickets, in hex digits.
    """
    claims = json.dumps([session_id, str(ref), int(now + lifetime)], separators=(",", ":"))
    body = _encode(claims.encode())
    return f"{body}.{_sign(body, key)}"


def check(ticket: str, key_of: Callable[[InstanceRef], str | None], now: float) -> Ticket:
    """Return the claims of a valid ticket; raise :class:`BadTicket` for any other.

    ``key_of`` returns the key of an instance, or None if the instance is gone. It is not called for
    an expired ticket.
    """
    body, dot, signature = ticket.partition(".")
    if not dot or len(ticket) > _LONGEST:
        raise BadTicket("the ticket is malformed; load the page again")
    claims = _claims(body)
    if claims.expires_at <= now:
        raise BadTicket("the ticket has expired; load the page again")
    key = key_of(claims.ref)
    if key is None:
        raise BadTicket("the ticket is for an instance that has stopped; load the page again")
    if not hmac.compare_digest(signature.encode(), _sign(body, key).encode()):
        raise BadTicket("the ticket's signature is wrong; load the page again")
    return claims


def instance_of(ticket: str) -> InstanceRef | None:
    """Return the instance that a ticket names, or None if the text is no ticket.

    The ticket is not checked, so the answer only tells which instance to ask.
    """
    try:
        return _claims(ticket.partition(".")[0]).ref if len(ticket) <= _LONGEST else None
    except BadTicket:
        return None


def _claims(body: str) -> Ticket:
    try:
        match json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))):
            case [str(session_id), str(ref), int(expires_at)]:
                return Ticket(session_id, InstanceRef.parse(ref), expires_at)
    except (ValueError, binascii.Error, RecursionError):
        pass
    raise BadTicket("the ticket is malformed; load the page again")


def _sign(body: str, key: str) -> str:
    return _encode(
        hmac.new(bytes.fromhex(key), body.encode("ascii", "replace"), hashlib.sha256).digest()
    )


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")
