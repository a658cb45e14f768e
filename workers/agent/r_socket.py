"""The WebSocket to R: one for each channel of a session, over the worker's unix socket."""

import websockets.asyncio.client
from websockets.asyncio.client import ClientConnection

from agent.failure import WorkerFailed
from agent.workers import Workers

LARGEST_MESSAGE = 64 * 1024 * 1024
"""Bytes of one message from R; :class:`chalicelib.relay.settings.RelaySettings` has the same."""
OPEN_TIMEOUT = 20.0
"""Seconds for the handshake; R answers it between two computations (FACTS R6)."""
CLOSE_TIMEOUT = 5.0
WAITING = 16
"""Messages from R that wait to be taken; then its socket is not read."""


async def connect(workers: Workers, session_id: str) -> ClientConnection:
    """Open a WebSocket to the worker of a session.

    Raise :class:`OSError`, also when that worker has ended, :class:`TimeoutError`, or :class:`websockets.exceptions.WebSocketException`.
    """
    try:
        async with workers.of_session(session_id) as worker:
            return await websockets.asyncio.client.unix_connect(
                str(worker.socket),
                uri="ws://localhost/websocket/",
                additional_headers={"Shiny-Shared-Secret": worker.spec.secret},
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
