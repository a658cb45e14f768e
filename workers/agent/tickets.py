"""The tickets of this instance's sessions."""

from chalicelib.clock import Clock, wall_clock
from chalicelib.instances.model import InstanceRef
from chalicelib.sessions import tickets


class InstanceTickets:
    """Issues and checks the tickets of one instance, by its ``key`` for them."""

    def __init__(self, ref: InstanceRef, key: str, clock: Clock = wall_clock) -> None:
        self._ref = ref
        self._key = key
        self._clock = clock

    def issue(self, session_id: str) -> str:
        """Return a fresh ticket for a session."""
        return tickets.issue(session_id, self._ref, self._key, self._clock())

    def session_of(self, ticket: str) -> str | None:
        """Return a ticket's session; None for a bad ticket or one of another instance."""
        try:
            return tickets.check(ticket, self._key_of, self._clock()).session_id
        except tickets.BadTicket:
            return None

    def _key_of(self, ref: InstanceRef) -> str | None:
        return self._key if ref == self._ref else None
