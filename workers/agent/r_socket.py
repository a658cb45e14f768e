"""The WebSocket to R: one for each channel of a session, over the worker's unix socket."""

from collections.abc import Sequence

import websockets.asyncio.client
from multidict import CIMultiDict
from websockets.asyncio.client import ClientConnection

from agent import headers
from agent.failure import WorkerFailed
from agent.workers import Workers
from chalicelib.bodies.limits import LONGEST_PAGE

LARGEST_MESSAGE = 64 * 1024 * 1024
"""Bytes of one message from R; :class:`chalicelib.relay.settings.RelaySettings` has the same."""
OPEN_TIMEOUT = LONGEST_PAGE
"""Seconds for the handshake: R answers it between two computations (FACTS R6), as it answers for pages."""
CLOSE_TIMEOUT = 5.0
WAITING = 16
"""Messages from R that wait to be taken; then its socket is not read."""


async def connect(workers: Workers, session_id: str, page: CIMultiDict[str], set_cookies: Sequence[str] = ()) -> ClientConnection:
    """Open a WebSocket to the worker of a session, as the browser would that got the session's page.

    ``page`` are the headers with which R was asked for the page, ``set_cookies`` what it came with.

    Raise :class:`OSError`, also when that worker has ended, :class:`TimeoutError`, or :class:`websockets.exceptions.WebSocketException`.
    """
    try:
        async with workers.of_session(session_id) as worker:
            sent = headers.of_socket(page, set_cookies)
            sent["Shiny-Shared-Secret"] = worker.spec.secret
            return await websockets.asyncio.client.unix_connect(
                str(worker.socket),
                uri=f"ws://{headers.host_of(page)}/websocket/",
                additional_headers=list(sent.items()),
                user_agent_header=None,
                compression=None,
                max_size=LARGEST_MESSAGE,
                max_queue=WAITING,
                open_timeout=OPEN_TIMEOUT,
                close_timeout=CLOSE_TIMEOUT,
                ping_interval=None,  # R is judged by its process, not by how fast it answers (FACTS R6)
                proxy=None,
            )
    except WorkerFailed as error:
        raise ConnectionRefusedError(str(error)) from error
