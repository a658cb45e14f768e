"""The protocol's test server, over real sockets."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Callable

import pytest

from tests.workers.agent.sockets.sockjs.server import serve
from tests.workers.agent.sockets.sockjs.wire import Server

_numbers = itertools.count(1)


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    runner = await serve(0)
    client = Server(runner)
    yield client
    await client.close()
    await runner.cleanup()


@pytest.fixture
def session() -> Callable[..., str]:
    """Makes the URL of a new session of a service."""
    return lambda service="/echo": f"{service}/000/session-{next(_numbers)}"
