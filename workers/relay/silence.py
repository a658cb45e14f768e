"""How long a session has been silent: the visitor, and R. No I/O."""

from __future__ import annotations

from relay.errors import AppSilent, RelayError, VisitorIdle
from relay.settings import RelaySettings


class Silence:
    """``now`` is in seconds on any steady clock."""

    def __init__(self, settings: RelaySettings, now: float) -> None:
        self._settings = settings
        self._visitor = self._r = now

    def of_visitor_broken(self, now: float) -> None:
        """The visitor did something: a message for R came, not just a sign of life of the page."""
        self._visitor = now

    def of_r_broken(self, now: float) -> None:
        """R said something, or was given a channel to say it on."""
        self._r = now

    def too_long(self, now: float) -> RelayError | None:
        """Return why the session ends now, if it does."""
        settings = self._settings
        if settings.session_timeout and now - self._visitor >= settings.session_timeout:
            return VisitorIdle()
        if settings.read_timeout and now - self._r >= settings.read_timeout:
            return AppSilent()
        return None
