"""Ends connections whose request does not come: a client that sends half of one and waits would hold a connection without end."""

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Iterator

from aiohttp import web

PATIENCE = 30.0
"""Seconds in which the head of a connection's first request must be there, and after which a body must come at :data:`SLOWEST`."""
SLOWEST = 1024.0
"""Bytes a second."""
LOOK_EVERY = 5.0


class SlowClients:
    """``connections`` gives those that are open now. A connection that is kept for a further request is aiohttp's to end."""

    def __init__(self, connections: Callable[[], Iterable[web.RequestHandler]], patience: float = PATIENCE) -> None:
        self._connections = connections
        self._patience = patience
        self._since: dict[web.RequestHandler, float] = {}
        self._served: set[web.RequestHandler] = set()
        self._bodies: dict[web.RequestHandler, tuple[web.Request, float]] = {}

    @contextlib.contextmanager
    def serving(self, request: web.Request) -> Iterator[None]:
        """A request is there, with its head."""
        self._served.add(request.protocol)
        if request.body_exists:
            self._bodies[request.protocol] = request, asyncio.get_running_loop().time()
        try:
            yield
        finally:
            self._bodies.pop(request.protocol, None)

    async def run(self, every: float = LOOK_EVERY) -> None:
        """Look from time to time, until cancelled."""
        while True:
            await asyncio.sleep(every)
            self.look(asyncio.get_running_loop().time())

    def look(self, now: float) -> int:
        """End those that are too slow; return how many."""
        there = set(self._connections())
        self._served &= there
        self._since = {connection: since for connection, since in self._since.items() if connection in there}
        late = [
            connection
            for connection in there
            if connection not in self._served and now - self._since.setdefault(connection, now) > self._patience
        ]
        late += [
            connection
            for connection, (request, began) in self._bodies.items()
            if not request.content.is_eof() and is_too_slow(request.content.total_bytes, now - began, self._patience)
        ]
        for connection in late:
            connection.force_close()
        return len(late)


def is_too_slow(size: int, seconds: float, patience: float = PATIENCE) -> bool:
    """Whether so many bytes of a body after so many seconds are too few. Pure.

    >>> is_too_slow(10_000, 29), is_too_slow(0, 31), is_too_slow(10_000, 36)
    (False, True, False)
    """
    return size < SLOWEST * (seconds - patience)
