"""A WebSocket API with Lambda proxy integrations (FACTS W).

It has the routes `$connect`, `$default` and `$disconnect`.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections import Counter
from collections.abc import Coroutine
from functools import partial
from http import HTTPStatus
from typing import Any, cast

from aiohttp import web
from aiohttp.http import WebSocketReader
from websockets.http11 import Response

from infra.emulator.clock import Clock
from infra.emulator.faults import Faults
from infra.emulator.gateway import answers, events
from infra.emulator.gateway.bodies import refused_by_size
from infra.emulator.gateway.connections import (
    GOING_AWAY,
    ClientBufferFull,
    ClientConnection,
    ConnectionGone,
)
from infra.emulator.gateway.handshake import UpgradeResponse, check_offer, frame_protocol
from infra.emulator.gateway.headers import usable
from infra.emulator.gateway.integration import invoke_within
from infra.emulator.gateway.invoker import InvocationRefused, Invoker, TimedOut
from infra.emulator.gateway.limits import AWS, GatewayLimits
from infra.emulator.gateway.management import Management
from infra.emulator.gateway.responses import (
    FunctionResponse,
    ProxyResponseError,
    parse_websocket_response,
)
from infra.emulator.gateway.rest import received_from
from infra.emulator.gateway.routes import WebSocketRoutes
from infra.emulator.gateway.throttle import TokenBucket

LOG = logging.getLogger(__name__)
ABNORMAL = (1006, "Connection closed abnormally")
FAILED = "Internal server error"
TIMED_OUT = "Endpoint request timed out"


class WebSocketApi:
    """Holds clients' connections and invokes functions for their events.

    `throttle` is the account's request rate; the REST API must share it (FACTS W7). `stage` is this
    API's own rate, for what clients send. `counters` counts "connections", "refused", "messages",
    "posts", "post_bytes" and "disconnects".
    """

    def __init__(
        self,
        routes: WebSocketRoutes,
        invoker: Invoker,
        faults: Faults,
        clock: Clock,
        *,
        limits: GatewayLimits = AWS,
        throttle: TokenBucket | None = None,
        stage: TokenBucket | None = None,
    ) -> None:
        self._routes = routes
        self._invoker = invoker
        self._faults = faults
        self._clock = clock
        self._limits = limits
        self._throttle = throttle or TokenBucket(limits.requests, limits.request_burst)
        self._stage = stage or TokenBucket(limits.requests, limits.request_burst)
        self._new_connections = TokenBucket(limits.new_connections, limits.new_connections)
        self._connections: dict[str, ClientConnection] = {}
        self._ended: dict[str, asyncio.Future[None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._closing = False
        self.counters: Counter[str] = Counter()
        self._management = Management(
            routes.stage, self._connections, faults, limits, self._throttle, self.counters
        )

    @property
    def open_connections(self) -> int:
        """The number of open connections."""
        return len(self._connections)

    async def manage(self, request: web.Request, body: bytes | None = None) -> web.Response:
        """Answer a call of `/<stage>/@connections/{id}` whose rights were already checked.

        The methods are POST, GET and DELETE.

        `body` is the request's body, if it was read for that check.
        """
        return await self._management.handle(request, body)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Handle a client's offer to upgrade.

        Answer it after `$connect` has answered, and return when the connection ends.
        """
        request_id = events.new_id()
        if request.raw_path.partition("?")[0] != f"/{self._routes.stage}":
            return self._refuse(answers.forbidden(request_id))  # W5
        too_long = refused_by_size(request, self._limits, request_id)
        if too_long is not None:
            return self._refuse(too_long)
        offer = check_offer(request)
        if offer is None or request.transport is None:
            return self._refuse(answers.bad_request(request_id))
        now = asyncio.get_running_loop().time()
        if self._closing or not (
            self._new_connections.take(now) and self._stage.take(now) and self._throttle.take(now)
        ):
            return self._refuse(answers.too_many_requests(request_id))
        received = received_from(request)
        visitor = events.SocketContext(
            connection_id=events.new_id(),
            connected_at=self._clock.time(),
            source_ip=received.source_ip,
            user_agent=received.header("user-agent"),
            host=received.header("host") or "",
        )
        response = await self._connect(visitor, received, request_id)
        if isinstance(response, web.Response):
            return self._refuse(response)
        return await self._open(request, offer, visitor, response.header("sec-websocket-protocol"))

    def _refuse(self, answer: web.Response) -> web.Response:
        self.counters["refused"] += 1
        answer.force_close()
        return answer

    async def _connect(
        self, visitor: events.SocketContext, received: events.WireRequest, request_id: str
    ) -> FunctionResponse | web.Response:
        """Ask `$connect`; return its response, or the answer that refuses the client."""
        now = self._clock.time()
        event = events.connect_event(
            visitor,
            self._routes,
            received,
            request_id=request_id,
            trace=events.trace_id(now),
            now=now,
        )
        try:
            invocation = await invoke_within(
                self._invoker,
                self._routes.connect,
                events.encoded(event),
                self._limits.integration_timeout,
            )
        except TimedOut:
            return answers.endpoint_timed_out(request_id)
        except InvocationRefused:
            return answers.internal_server_error(request_id)
        except Exception:
            LOG.exception("%s could not be invoked", self._routes.connect)
            return answers.internal_server_error(request_id)
        if invocation.function_error is not None:
            return answers.function_failed(request_id)
        try:
            response = parse_websocket_response(invocation.payload)
        except ProxyResponseError as error:
            LOG.warning("%s: malformed Lambda proxy response: %s", self._routes.connect, error)
            return answers.function_failed(request_id)
        if 200 <= response.status < 300:
            return response
        if response.status == HTTPStatus.FORBIDDEN:
            return answers.forbidden(request_id)
        known = {status.value: status.phrase for status in HTTPStatus}
        phrase = known.get(response.status, "Refused")
        return answers.gateway_answer(
            response.status, phrase, phrase.replace(" ", "") + "Exception", request_id
        )

    async def _open(
        self,
        request: web.Request,
        offer: Response,
        visitor: events.SocketContext,
        subprotocol: str | None,
    ) -> web.StreamResponse:
        ordinal = self._faults.next_connection()
        transport = request.transport
        if transport is None or transport.is_closing():  # the client left while `$connect` ran
            self._begin(self._disconnect(visitor, ordinal, *ABNORMAL))
            return UpgradeResponse()
        if subprotocol is not None and usable("Sec-WebSocket-Protocol", subprotocol):
            offer.headers["Sec-WebSocket-Protocol"] = subprotocol
        wire = transport.get_extra_info("socket")
        if wire is not None:
            wire.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, self._limits.socket_buffer)
        transport.write(offer.serialize())
        connection = ClientConnection(
            visitor,
            ordinal,
            transport,
            frame_protocol(self._limits),
            clock=self._clock,
            limits=self._limits,
            faults=self._faults,
            on_message=self._message,
            on_lost=self._lost,
        )
        self.counters["connections"] += 1
        self._connections[visitor.connection_id] = connection
        ended = self._ended[visitor.connection_id] = asyncio.get_running_loop().create_future()
        # aiohttp passes all further bytes, and those that came with the handshake, to this
        # replacement of its own reader.
        request.protocol.set_parser(cast(WebSocketReader, connection))
        await ended
        return UpgradeResponse()

    def _begin(self, coroutine: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # Messages.

    def _message(self, connection: ClientConnection, text: str) -> None:
        """Start the invocation for a message, without waiting for earlier ones (FACTS W4)."""
        self.counters["messages"] += 1
        connection.arrived += 1
        now = asyncio.get_running_loop().time()
        if not self._stage.take(now) or not self._throttle.take(now):
            self._tell(connection, "Too Many Requests", events.new_id())
            asyncio.get_running_loop().call_soon(connection.finished)
            return
        request_id, event = self._message_event(connection, text)
        if self._faults.on:
            self._message_with_faults(connection, request_id, event)
        else:
            self._begin(self._deliver(connection, request_id, event))

    def _message_with_faults(
        self, connection: ClientConnection, request_id: str, event: bytes
    ) -> None:
        loop = asyncio.get_running_loop()
        fate = self._faults.message(connection.ordinal, connection.arrived)
        if fate.half_open:
            connection.half_open()
            loop.call_soon(connection.finished)
        if fate.cut:
            connection.cut()
            loop.call_soon(connection.finished)
        for copy, start in enumerate(fate.starts):
            loop.call_later(start, self._begin_copy, connection, request_id, event, copy == 0)

    def _begin_copy(
        self, connection: ClientConnection, request_id: str, event: bytes, first: bool
    ) -> None:
        self._begin(self._deliver(connection, request_id, event, first=first))

    def _message_event(self, connection: ClientConnection, text: str) -> tuple[str, bytes]:
        request_id = events.new_id()
        event = events.message_event(
            connection.visitor,
            self._routes,
            text,
            request_id=request_id,
            message_id=events.new_id(),
            now=self._clock.time(),
        )
        return request_id, events.encoded(event)

    async def _deliver(
        self, connection: ClientConnection, request_id: str, event: bytes, *, first: bool = True
    ) -> None:
        """Invoke the function for one message, and tell the client if that fails."""
        loop = asyncio.get_running_loop()
        # A timer instead of a second task keeps a frame's latency low. The invocation itself
        # continues (W6).
        overdue = loop.call_later(
            self._limits.integration_timeout, partial(self._tell, connection, TIMED_OUT, request_id)
        )
        try:
            invocation = await self._invoker.invoke(self._routes.message, event)
            failure = None if _succeeded(invocation.payload, invocation.function_error) else FAILED
        except TimedOut:
            failure = TIMED_OUT
        except InvocationRefused:
            failure = FAILED
        except Exception:
            LOG.exception("%s could not be invoked", self._routes.message)
            failure = FAILED
        finally:
            in_time = loop.time() < overdue.when()
            overdue.cancel()
            if first:
                connection.finished()
        if failure is not None and in_time:
            self._tell(connection, failure, request_id)

    def _tell(self, connection: ClientConnection, message: str, request_id: str) -> None:
        """Send the client an error about its message, if it is still connected."""
        try:
            connection.send(
                answers.message_error(message, connection.visitor.connection_id, request_id)
            )
        except (ConnectionGone, ClientBufferFull):
            LOG.debug("%s: %r could not be told", connection.visitor.connection_id, message)

    # The end.

    def _lost(self, connection: ClientConnection) -> None:
        connection_id = connection.visitor.connection_id
        del self._connections[connection_id]
        ended = self._ended.pop(connection_id)
        if not ended.done():
            ended.set_result(None)
        if not self._closing:
            self._begin(
                self._disconnect(connection.visitor, connection.ordinal, *connection.close_code)
            )

    async def _disconnect(
        self, visitor: events.SocketContext, ordinal: int, code: int, reason: str
    ) -> None:
        """Invoke `$disconnect` once, whatever the result (FACTS W3: best effort)."""
        delay = self._faults.disconnect(ordinal)
        if delay is None:
            return
        if delay:
            await self._clock.sleep(delay)
        self.counters["disconnects"] += 1
        event = events.disconnect_event(
            visitor,
            self._routes,
            code=code,
            reason=reason,
            request_id=events.new_id(),
            now=self._clock.time(),
        )
        try:
            await self._invoker.invoke(self._routes.disconnect, events.encoded(event))
        except Exception as error:
            LOG.warning("%s: $disconnect was not handled: %r", visitor.connection_id, error)

    async def close(self) -> None:
        """Close every connection like AWS when it goes away, and wait until all are closed.

        `$disconnect` is not invoked, because the functions go away too.
        """
        self._closing = True
        ended = list(self._ended.values())
        for connection in list(self._connections.values()):
            connection.close(1001, GOING_AWAY)
        if ended:
            _, open_still = await asyncio.wait(ended, timeout=1.0)
            for connection in list(self._connections.values()):
                connection.abort()
            if open_still:
                await asyncio.wait(open_still, timeout=1.0)
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


def _succeeded(payload: bytes, function_error: str | None) -> bool:
    """Return whether API Gateway accepts this as an answer to a message.

    Its status does not matter, because it is not passed on.
    """
    if function_error is not None:
        return False
    try:
        parse_websocket_response(payload)
    except ProxyResponseError as error:
        LOG.warning("malformed Lambda proxy response to a message: %s", error)
        return False
    return True
