"""Holding a program's request until its app has started, within the limits of the gateway.

The deployment limits how many requests are held at once.
"""

import secrets
import time
from collections.abc import Callable

from chalicelib.clock import Clock, Steady
from chalicelib.configuration.above import NOTHING, Above
from chalicelib.configuration.app_settings import AppSettings
from chalicelib.instances.ceilings import store as ceilings
from chalicelib.instances.ceilings.errors import TooManyInstances
from chalicelib.instances.ceilings.model import HELD
from chalicelib.instances.model import Instance
from chalicelib.scheduler.seating import Scheduler, StartFailed
from chalicelib.visits.answer import Answer

LONGEST = 25.0
"""Seconds that a request is held; the gateway gives up at 29 (FACTS H1)."""
LOOK_EVERY = 0.5
_SPARE = 5.0
"""Seconds by which a held request's place outlives the request, in case the Lambda dies."""
_RETRY_AFTER = "5"


class Holding:
    """Holds requests until their app is ready.

    ``most`` is the number of requests that the deployment holds at once. ``steady`` is a monotonic
    clock, and ``pause`` waits for some seconds by it.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        clock: Clock,
        most: int = 0,
        steady: Steady = time.monotonic,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._scheduler = scheduler
        self._clock = clock
        self._most = most
        self._steady = steady
        self._pause = pause

    def ready(
        self, version_id: str, app: str, settings: AppSettings, above: Above = NOTHING
    ) -> tuple[Instance, float] | Answer:
        """Start the app if it sleeps; return a ready instance, or an answer that says why not.

        With the instance comes the number of seconds for which the request has been held.
        """
        began = self._steady()
        found = self._look(version_id, app, settings, above)
        if isinstance(found, Answer):
            return found
        if found is not None:
            return found, 0.0
        holder = secrets.token_hex(8)
        if not self._enter(holder):
            return later("the app is starting, and as many requests wait as may; ask again")
        try:
            while (left := began + LONGEST - self._steady()) > 0:
                self._pause(min(LOOK_EVERY, left))
                found = self._look(version_id, app, settings, above)
                if isinstance(found, Answer):
                    return found
                if found is not None:
                    return found, self._steady() - began
        finally:
            ceilings.leave(HELD, holder)
        return later("the app is starting; ask again")

    def _look(
        self, version_id: str, app: str, settings: AppSettings, above: Above
    ) -> Instance | Answer | None:
        """Return a ready instance, None while one starts, or an answer if none will start."""
        try:
            found = self._scheduler.wake(version_id, app, settings, above)
        except TooManyInstances as error:
            return later(f"the app is asleep, and cannot start now: {error}", "30")
        return (
            later("the app did not start; its log says why", "60")
            if isinstance(found, StartFailed)
            else found
        )

    def _enter(self, holder: str) -> bool:
        until = self._clock() + LONGEST + _SPARE
        if not self._most:
            return False
        return ceilings.enter(HELD, holder, self._most, until) or (
            ceilings.expire(HELD, self._clock()) > 0
            and ceilings.enter(HELD, holder, self._most, until)
        )


def later(why: str, retry_after: str = _RETRY_AFTER) -> Answer:
    """Return an answer that says why to ask again later, and when."""
    return Answer.text(503, f"{why}\n", {"retry-after": retry_after})
