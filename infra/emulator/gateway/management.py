"""`@connections`, the API by which backends act on a client's connection (FACTS W1, W3, W7)."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import unquote

from aiohttp import web

from infra.emulator.faults import Faults, PostFate
from infra.emulator.gateway import answers, events
from infra.emulator.gateway.bodies import read_body
from infra.emulator.gateway.connections import ClientBufferFull, ClientConnection, ConnectionGone
from infra.emulator.gateway.limits import GatewayLimits
from infra.emulator.gateway.throttle import TokenBucket

TRUTH = PostFate()


def connection_id_of(raw_path: str, stage: str) -> str | None:
    """Return the id in `/<stage>/@connections/<id>`, or None for any other path."""
    prefix, _, encoded = unquote(raw_path.partition("?")[0]).rpartition("/")
    return encoded if encoded and prefix == f"/{stage}/@connections" else None


def _timestamp(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Management:
    """POST, GET and DELETE on open connections. `counters` counts "posts" and "post_bytes"."""

    def __init__(
        self,
        stage: str,
        connections: Mapping[str, ClientConnection],
        faults: Faults,
        limits: GatewayLimits,
        throttle: TokenBucket,
        counters: Counter[str],
    ) -> None:
        self._stage = stage
        self._connections = connections
        self._faults = faults
        self._limits = limits
        self._throttle = throttle
        self._counters = counters

    async def handle(self, request: web.Request, body: bytes | None = None) -> web.Response:
        """Answer a call whose signature and rights were already checked.

        `body` is the call's body, if it was read for that check.
        """
        request_id = events.new_id()
        connection_id = connection_id_of(request.raw_path, self._stage)
        if connection_id is None:
            return answers.forbidden(request_id)
        if not self._throttle.take(asyncio.get_running_loop().time()):
            return answers.limit_exceeded(request_id)
        if request.method == "POST":
            data = body if body is not None else await read_body(request, self._limits.post)
            if data is None or len(data) > self._limits.post:
                return answers.payload_too_large(request_id)
            return await self._post(data, connection_id, request_id)
        if request.method not in ("GET", "DELETE"):
            return answers.missing_authentication_token(request_id)
        connection = self._connections.get(connection_id)
        if connection is None or not connection.is_open:
            return answers.gone(request_id)
        if request.method == "GET":
            return self._describe(connection, request_id)
        connection.close()
        return web.Response(status=204, headers={"x-amzn-RequestId": request_id})

    async def _post(self, data: bytes, connection_id: str, request_id: str) -> web.Response:
        self._counters["posts"] += 1
        self._counters["post_bytes"] += len(data)
        connection = self._connections.get(connection_id)
        if connection is None:
            return answers.gone(request_id)
        fate = TRUTH
        if self._faults.on:
            connection.posts += 1
            fate = self._faults.post(connection.ordinal, connection.posts)
            if fate.delay:
                await asyncio.sleep(fate.delay)
            if fate.status == 410:
                connection.cut()
        if not data.isascii():
            try:
                data.decode()
            except UnicodeDecodeError:
                return answers.bad_request(request_id)  # only text messages can be sent
        if fate.delivered:
            try:
                connection.send(data)
            except ConnectionGone:
                return answers.gone(request_id)
            except ClientBufferFull:
                return answers.limit_exceeded(request_id)
        if fate.status == 410:
            return answers.gone(request_id)
        if fate.status == 429:
            return answers.limit_exceeded(request_id)
        if fate.status == 504:
            return answers.endpoint_timed_out(request_id)
        return web.Response(headers={"x-amzn-RequestId": request_id})

    def _describe(self, connection: ClientConnection, request_id: str) -> web.Response:
        visitor = connection.visitor
        described = {
            "connectedAt": _timestamp(visitor.connected_at),
            "identity": {"sourceIp": visitor.source_ip, "userAgent": visitor.user_agent or ""},
            "lastActiveAt": _timestamp(connection.last_active),
        }
        headers = {"Content-Type": "application/json", "x-amzn-RequestId": request_id}
        return web.Response(body=json.dumps(described).encode(), headers=headers)
