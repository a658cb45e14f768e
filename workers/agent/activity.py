"""How long an app has not been in use."""

import time
from collections.abc import Callable

from chalicelib.clock import Steady


class Activity:
    """Tracks the use of an app.

    The app is not in use while ``busy`` returns False and nobody calls :meth:`touch`. ``clock`` is
    any steady clock, in seconds.
    """

    def __init__(
        self,
        busy: Callable[[], bool],
        clock: Steady = time.monotonic,
        connected: Callable[[], bool] = lambda: True,
    ) -> None:
        """``connected`` returns whether a visitor's page has its connection now."""
        self._busy = busy
        self._clock = clock
        self._connected = connected
        self.visited = False
        """Whether a page has ever had its connection, as seen at the calls of :meth:`quiet_for`."""
        self._last = clock()

    @property
    def busy(self) -> bool:
        """Whether the app is in use now."""
        return self._busy()

    def touch(self) -> None:
        """Note that the app was in use just now."""
        self._last = self._clock()

    def quiet_for(self) -> float:
        """Return the seconds since the app was last in use.

        Use is noticed at the calls of this method and of :meth:`touch`.
        """
        now = self._clock()
        self.visited = self.visited or self._connected()
        if self._busy():
            self._last = now
        return now - self._last
