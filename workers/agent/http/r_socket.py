"""Connections to R over the worker's unix socket, for WebSockets and HTTP.

Each channel of a session has its own WebSocket.

An app can put another socket, or a link to one of root's, in the place of its own. So each
connection is checked before a byte is sent: the process that listens must belong to the app's user.
"""

import asyncio
import socket
from collections.abc import Sequence
from typing import TYPE_CHECKING

import aiohttp
import websockets.asyncio.client
from aiohttp.client_exceptions import UnixClientConnectorError
from multidict import CIMultiDict
from websockets.asyncio.client import ClientConnection

from agent.failure import WorkerFailed
from agent.http import headers
from agent.http.worker_http import CuringConnector
from agent.processes.worker import Worker
from agent.processes.workers import Workers
from chalicelib.configuration.limits import LONGEST_PAGE
from relay.settings import LARGEST_MESSAGE

if TYPE_CHECKING:
    from aiohttp.client_proto import ResponseHandler
    from aiohttp.client_reqrep import ClientRequest
    from aiohttp.tracing import Trace

OPEN_TIMEOUT = LONGEST_PAGE
"""Seconds for the handshake.

R answers it between two computations (FACTS R6), as it does for pages.
"""
CLOSE_TIMEOUT = 5.0
WAITING = 16
"""Messages from R that may wait to be taken; above that, R's socket is not read."""
_AGAIN = 0.05
"""Seconds until another attempt, if too many connections wait for a socket."""


async def connect(
    workers: Workers, session_id: str, page: CIMultiDict[str], set_cookies: Sequence[str] = ()
) -> ClientConnection:
    """Open a WebSocket to a session's worker, as the browser with the session's page would.

    ``page`` are the headers with which R was asked for the page. ``set_cookies`` are the cookies
    that R set with it.

    Raise :class:`OSError` (also if that worker has ended), :class:`TimeoutError`, or
    :class:`websockets.exceptions.WebSocketException`.
    """
    try:
        async with workers.of_session(session_id) as worker:
            sent = headers.of_socket(page, set_cookies)
            sent["Shiny-Shared-Secret"] = worker.spec.secret
            async with asyncio.timeout(OPEN_TIMEOUT):
                connected = await opened(worker)
            return await websockets.asyncio.client.unix_connect(
                uri=f"ws://{headers.host_of(page)}/websocket/",
                sock=connected,
                additional_headers=list(sent.items()),
                user_agent_header=None,
                compression=None,
                max_size=LARGEST_MESSAGE,
                max_queue=WAITING,
                open_timeout=OPEN_TIMEOUT,
                close_timeout=CLOSE_TIMEOUT,
                # R is judged by its process, not by how fast it answers (FACTS R6).
                ping_interval=None,
                proxy=None,
            )
    except WorkerFailed as error:
        raise ConnectionRefusedError(str(error)) from error


async def opened(worker: Worker) -> socket.socket:
    """Return a socket connected to a worker; wait while too many other connections wait.

    The process that listens belongs to the app's user. Raise :class:`OSError`, and
    :class:`machine.untrusted.Unsafe` if a process of another user listens.
    """
    while True:
        try:
            return worker.connect()
        except BlockingIOError:
            await asyncio.sleep(_AGAIN)


class WorkerConnector(CuringConnector):
    """HTTP to one worker, by at most ``limit`` kept-alive connections at once."""

    def __init__(self, worker: Worker, limit: int) -> None:
        super().__init__(str(worker.socket_path), limit)
        self._worker = worker

    async def _create_connection(
        self,
        req: "ClientRequest",
        traces: "list[Trace]",
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109  (aiohttp's)
    ) -> "ResponseHandler":
        try:
            async with asyncio.timeout(timeout.sock_connect):
                _, protocol = await self._loop.create_unix_connection(
                    self._factory, sock=await opened(self._worker)
                )
        except TimeoutError:
            raise
        except OSError as error:
            raise UnixClientConnectorError(self.path, req.connection_key, error) from error
        return protocol
