"""A REST API with Lambda proxy integrations (FACTS H)."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections import Counter
from urllib.parse import urlsplit

from aiohttp import web
from multidict import CIMultiDict

from infra.emulator.clock import Clock
from infra.emulator.faults import Faults
from infra.emulator.gateway import answers, compression, events, visitors
from infra.emulator.gateway.bodies import read_body, refused_by_size
from infra.emulator.gateway.integration import invoke_within
from infra.emulator.gateway.invoker import InvocationRefused, Invoker, TimedOut
from infra.emulator.gateway.limits import AWS, GatewayLimits
from infra.emulator.gateway.responses import (
    Base64Error,
    ProxyResponseError,
    parse_proxy_response,
    rest_body,
    rest_headers,
)
from infra.emulator.gateway.routes import RestRoutes, match_route
from infra.emulator.gateway.throttle import TokenBucket

LOG = logging.getLogger(__name__)
HEALTH_PATHS = frozenset({"/ping", "/sping"})


def received_from(request: web.Request) -> events.WireRequest:
    """Return the request in the form that the event builders take."""
    target = request.raw_path
    if not target.startswith("/"):  # an absolute URI, as sent to a proxy
        parts = urlsplit(target)
        target = f"{parts.path or '/'}?{parts.query}"
    path, _, query = target.partition("#")[0].partition("?")
    transport = request.transport
    here = transport.get_extra_info("sockname") if transport is not None else None
    return events.WireRequest(
        method=request.method,
        path=path,
        query=query,
        headers=tuple(request.headers.items()),
        source_ip=request.remote or "",
        scheme=request.scheme,
        port=str(here[1]) if isinstance(here, tuple) else "",
        protocol=f"HTTP/{request.version.major}.{request.version.minor}",
        stage_variables=visitors.stage_variables(request),
    )


class RestApi:
    """Answers HTTP requests by invoking functions.

    `throttle` is the account's request rate; the WebSocket API must share it (FACTS W7). `stage` is
    this API's own. `counters` counts "requests" and their results, such as "status_200".
    """

    def __init__(
        self,
        routes: RestRoutes,
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
        self.counters: Counter[str] = Counter()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one request like API Gateway."""
        self.counters["requests"] += 1
        request_id = str(uuid.uuid4())
        answer = await self._answer(request, request_id)
        self.counters[f"status_{answer.status}"] += 1
        return answer

    async def _answer(self, request: web.Request, request_id: str) -> web.Response:
        now = asyncio.get_running_loop().time()
        if not self._stage.take(now) or not self._throttle.take(now):
            return answers.too_many_requests(request_id)
        too_long = refused_by_size(request, self._limits, request_id)
        if too_long is not None:
            return too_long
        received = received_from(request)
        # API Gateway reserves these two at the root of a custom domain.
        if received.path in HEALTH_PATHS:
            return web.Response(text="healthy")
        match = match_route(self._routes, received.method, received.path)
        if match is None:
            return answers.missing_authentication_token(request_id)
        body = await read_body(request, self._limits.body)
        if body is None:
            return answers.request_too_long(request_id)
        time = self._clock.time()
        trace = events.trace_id(time)
        event = events.encoded(
            events.rest_event(
                received, match, self._routes, body, request_id=request_id, trace=trace, now=time
            )
        )
        if len(event) > self._limits.lambda_payload:
            return answers.request_too_long(request_id)
        return await self._invoke(match.route.function, event, received, request_id, trace)

    async def _invoke(
        self, function: str, event: bytes, received: events.WireRequest, request_id: str, trace: str
    ) -> web.Response:
        fate = self._faults.request(self._faults.next_request()) if self._faults.on else None
        if fate is not None and fate.delay:
            await asyncio.sleep(fate.delay)
        try:
            invocation = await invoke_within(
                self._invoker, function, event, self._limits.integration_timeout
            )
        except TimedOut:
            return answers.endpoint_timed_out(request_id)
        except InvocationRefused:
            return answers.internal_server_error(request_id)
        except Exception:
            LOG.exception("%s could not be invoked", function)
            return answers.internal_server_error(request_id)
        if fate is not None and fate.timeout:
            return answers.endpoint_timed_out(request_id)
        if (
            invocation.function_error is not None
            or len(invocation.payload) > self._limits.lambda_payload
        ):
            LOG.warning(
                "%s failed: %s, %d bytes",
                function,
                invocation.function_error,
                len(invocation.payload),
            )
            return answers.function_failed(request_id)
        try:
            response = parse_proxy_response(invocation.payload)
            body = rest_body(response, received.header("accept"), self._routes.binary_media_types)
        except ProxyResponseError as error:
            LOG.warning("%s: malformed Lambda proxy response: %s", function, error)
            return answers.function_failed(request_id)
        except Base64Error as error:
            LOG.warning("%s: body is not the base64 that it says it is: %s", function, error)
            return answers.internal_server_error(request_id)
        if len(body) > self._limits.body:
            return answers.function_failed(request_id)
        headers = CIMultiDict(rest_headers(response, request_id, events.new_id(), trace))
        smallest, coding = (
            self._routes.minimum_compression,
            compression.wanted(received.header("accept-encoding")),
        )
        if (
            smallest is not None
            and len(body) >= smallest
            and coding
            and response.header("content-encoding") is None
        ):
            body = await compression.compressed(body, coding)
            headers["Content-Encoding"] = coding
        return web.Response(status=response.status, headers=headers, body=body)
