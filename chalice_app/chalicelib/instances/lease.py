"""Leases of seats. Pure: a seat map is session id → end of its lease (epoch seconds)."""

import secrets
from collections.abc import Iterable, Mapping
from typing import NamedTuple

HELD = 180.0
"""Seconds that a seat is held, counted from when it is taken and from each renewal.

The agent gives back the seat of a page whose socket does not come (FACTS S10). The lease covers the
case that the agent never heard of the session, or is gone.
"""
RENEW_EVERY = 60.0
"""Seconds between two renewals of the agent's sessions. A lease survives one lost renewal."""


class Expired(NamedTuple):
    """A seat whose lease has ended, as it was read.

    Giving it to another session is conditional on it.
    """

    session_id: str
    lease: float


def new_session_id() -> str:
    """Return a session id: 128 random bits as hex digits."""
    return secrets.token_hex(16)


def live(seats: Mapping[str, float], now: float) -> dict[str, float]:
    """Return the seats whose lease has not ended."""
    return {session: lease for session, lease in seats.items() if lease > now}


def longest_expired(seats: Mapping[str, float], now: float) -> Expired | None:
    """Return the seat whose lease ended first, if any has ended."""
    expired = [Expired(session, lease) for session, lease in seats.items() if lease <= now]
    return min(expired, key=lambda seat: (seat.lease, seat.session_id), default=None)


def renewed(sessions: Iterable[str], now: float) -> dict[str, float]:
    """Return the leases that an agent writes for its sessions."""
    return dict.fromkeys(sessions, now + HELD)
