"""How long the visitor and R of a session have been silent; no I/O."""

from __future__ import annotations

from relay.errors import AppSilent, RelayError, VisitorIdle
from relay.settings import RelaySettings


class Silence:
    """Tracks the silence of one session; ``now`` is in seconds on any steady clock."""

    def __init__(self, settings: RelaySettings, now: float) -> None:
        self._settings = settings
        self._visitor = self._r = now

    def of_visitor_broken(self, now: float) -> None:
        """Note that the visitor did something.

        That means a message for R, not just a sign of life of the page.
        """
        self._visitor = now

    def of_r_broken(self, now: float) -> None:
        """Note that R said something, or was given a channel to say it on."""
        self._r = now

    def too_long(self, now: float) -> RelayError | None:
        """Return why the session ends now, or None."""
        settings = self._settings
        if settings.session_timeout and now - self._visitor >= settings.session_timeout:
            return VisitorIdle()
        if settings.read_timeout and now - self._r >= settings.read_timeout:
            return AppSilent()
        return None
