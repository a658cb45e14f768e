"""The opening of a WebSocket connection, on a request that aiohttp has read."""

from __future__ import annotations

from aiohttp import hdrs, web
from aiohttp.abc import AbstractStreamWriter
from websockets.datastructures import Headers
from websockets.http11 import Request, Response
from websockets.protocol import State
from websockets.server import ServerProtocol

from infra.emulator.gateway.limits import GatewayLimits


class UpgradeResponse(web.StreamResponse):
    """Tells aiohttp that the request was answered on its transport, which no longer speaks HTTP."""

    def __init__(self) -> None:
        super().__init__(status=101)
        self.force_close()

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Write nothing."""
        return None

    async def write_eof(self, data: bytes = b"") -> None:
        """Write nothing."""


def check_offer(request: web.Request) -> Response | None:
    """Return the answer that accepts the request's offer to upgrade, or None for an invalid offer.

    API Gateway negotiates no compression, and leaves the subprotocol to `$connect`.
    """
    if request.method != hdrs.METH_GET or request.version < (1, 1):
        return None
    headers = Headers(
        [
            (name, value)
            for name, value in request.headers.items()
            if name.lower() != "sec-websocket-protocol"
        ]
    )
    answer = ServerProtocol(extensions=None).accept(Request(request.raw_path, headers))
    return answer if answer.status_code == 101 else None


def frame_protocol(limits: GatewayLimits) -> ServerProtocol:
    """Return the protocol after the handshake.

    A frame or message above its limit closes the connection with 1009 (FACTS W1).
    """
    return ServerProtocol(state=State.OPEN, max_size=(limits.message, limits.frame))
