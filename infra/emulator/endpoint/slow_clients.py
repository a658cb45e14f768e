"""End connections whose request does not arrive.

Otherwise a client that sends half of a request and waits would hold a connection forever.
"""

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Iterator

from aiohttp import web

PATIENCE = 30.0
"""Seconds for the head of a connection's first request.

After as many seconds, a body must arrive at :data:`SLOWEST`.
"""
SLOWEST = 1024.0
"""Lowest rate of a body, in bytes per second."""
LOOK_EVERY = 5.0


class SlowClients:
    """Ends connections of slow clients.

    ``connections`` returns the open ones. aiohttp ends a connection that is kept for a further
    request.
    """

    def __init__(
        self, connections: Callable[[], Iterable[web.RequestHandler]], patience: float = PATIENCE
    ) -> None:
        self._connections = connections
        self._patience = patience
        self._since: dict[web.RequestHandler, float] = {}
        self._served: set[web.RequestHandler] = set()
        self._bodies: dict[web.RequestHandler, tuple[web.Request, float]] = {}

    @contextlib.contextmanager
    def serving(self, request: web.Request) -> Iterator[None]:
        """Mark a request as being served; its head has arrived."""
        self._served.add(request.protocol)
        if request.body_exists:
            self._bodies[request.protocol] = request, asyncio.get_running_loop().time()
        try:
            yield
        finally:
            self._bodies.pop(request.protocol, None)

    async def run(self, every: float = LOOK_EVERY) -> None:
        """Check from time to time, until cancelled."""
        while True:
            await asyncio.sleep(every)
            self.look(asyncio.get_running_loop().time())

    def look(self, now: float) -> int:
        """End the connections that are too slow; return their number."""
        there = set(self._connections())
        self._served &= there
        self._since = {
            connection: since for connection, since in self._since.items() if connection in there
        }
        late = [
            connection
            for connection in there
            if connection not in self._served
            and now - self._since.setdefault(connection, now) > self._patience
        ]
        late += [
            connection
            for connection, (request, began) in self._bodies.items()
            if not request.content.is_eof()
            and is_too_slow(request.content.total_bytes, now - began, self._patience)
        ]
        for connection in late:
            connection.force_close()
        return len(late)


def is_too_slow(size: int, seconds: float, patience: float = PATIENCE) -> bool:
    """Return whether so many bytes of a body are too few after so many seconds.

    This function is pure.

    >>> is_too_slow(10_000, 29), is_too_slow(0, 31), is_too_slow(10_000, 36)
    (False, True, False)
    """
    return size < SLOWEST * (seconds - patience)
