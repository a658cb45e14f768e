"""The one HTTP server, which hands each request to the service that answers it.

1. ``Upgrade: websocket`` → the WebSocket API.
2. A SigV4 signature → the AWS API of its credential scope, once the signature is verified.
3. Everything else → the REST API.
"""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Protocol
from urllib.parse import parse_qsl

import aiohttp
from aiohttp import web

from infra.emulator.aws_errors import AwsError, error_response
from infra.emulator.counters import Counters
from infra.emulator.dynamodb import limits as dynamodb_limits
from infra.emulator.endpoint.bodies import LARGEST_DOCUMENT_BYTES, Body, read_document, read_object
from infra.emulator.endpoint.listeners import EndpointListener, Listening
from infra.emulator.endpoint.operations import operation_of
from infra.emulator.endpoint.signing import UNSIGNED_PAYLOAD, Signature, read_signature, verify
from infra.emulator.endpoint.slow_clients import SlowClients
from infra.emulator.gateway import RestApi, WebSocketApi, visitors
from infra.emulator.keys import AccessKey, Keys
from infra.emulator.moto.client import Moto
from infra.emulator.rights.call import Call
from infra.emulator.rights.refusal import denied
from infra.emulator.settings import EmulatorSettings

LONGEST_LINE = 65_536
VPC_SERVICES = frozenset({"s3", "dynamodb"})
"""Services that a function in the VPC reaches, by gateway endpoints (FACTS E6b)."""

ServiceHandler = Callable[
    [web.Request, str, bytes, AccessKey], Awaitable[web.StreamResponse | None]
]
"""Answers an operation, or returns None to leave it to moto."""

_HOP_BY_HOP = frozenset(
    {
        "connection",
        "keep-alive",
        "transfer-encoding",
        "te",
        "upgrade",
        "content-length",
        "expect",
        "server",
    }
)
_SHA256 = re.compile(r"[0-9a-f]{64}")


class Changes(Protocol):
    """The listener for possible changes of moto's data."""

    def called(self, service: str, operation: str, request: web.Request, body: Body) -> None:
        """Handle the success of an operation."""


class Rights(Protocol):
    """Decides whether a caller may make a call."""

    def check(self, principal: str, call: Call) -> None:
        """Return if the call is allowed; otherwise raise :class:`AwsError`."""

    def may_know_absence(self, principal: str, call: Call) -> bool:
        """Return whether the caller may be told that an object does not exist."""


class Front:
    """The server on the stack's port."""

    def __init__(
        self,
        settings: EmulatorSettings,
        keys: Keys,
        counters: Counters,
        moto: Moto,
        rest: RestApi,
        websockets: WebSocketApi,
        services: Mapping[str, ServiceHandler],
        changes: Changes,
        rights: Rights,
        isolated: Callable[[str], bool],
        refused: Callable[[str, str], None],
    ) -> None:
        """Create the server.

        ``isolated`` returns whether a principal's network is the VPC without a way out. ``refused``
        is told what such a principal tried to call.
        """
        self._settings = settings
        self._keys = keys
        self._counters = counters
        self._moto = moto
        self._rest = rest
        self._websockets = websockets
        self._services = services
        self._changes = changes
        self._rights = rights
        self._isolated = isolated
        self._refused = refused
        self._runner: web.AppRunner | None = None
        self._visitors: web.AppRunner | None = None
        self._listening: Listening | None = None
        self._slow = SlowClients(lambda: ())
        self._looking: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Listen."""
        runner = self._runner = await self._set_up(public=False)
        public = self._visitors = await self._set_up(public=True)
        self._listening = Listening(public)
        self._slow = SlowClients(
            lambda: [
                connection
                for each in (runner, public)
                if each.server is not None
                for connection in each.server.connections
            ]
        )
        self._looking = asyncio.create_task(self._slow.run(), name="slow clients")
        await web.TCPSite(self._runner, "127.0.0.1", self._settings.port, backlog=1024).start()

    async def listen(self, listeners: Iterable[EndpointListener]) -> None:
        """Let visitors in by these ports, too, and by no others.

        There they reach the two APIs, and S3 by presigned URLs. Raise :class:`CannotStart`.
        """
        assert self._listening is not None
        await self._listening.become(listeners)

    async def _set_up(self, *, public: bool) -> web.AppRunner:
        application = web.Application(client_max_size=LARGEST_DOCUMENT_BYTES)
        application[visitors.PUBLIC] = public
        application.router.add_route("*", "/{path:.*}", self._serve)
        application.on_response_prepare.append(_without_server_name)
        runner = web.AppRunner(
            application,
            access_log=None,
            auto_decompress=False,
            # The limit is above API Gateway's, which answers for its own limits.
            max_line_size=LONGEST_LINE,
            max_field_size=LONGEST_LINE,
            shutdown_timeout=1,
        )
        await runner.setup()
        return runner

    async def stop(self) -> None:
        """Stop listening and close all connections."""
        if self._looking is not None:
            self._looking.cancel()
        for runner in (self._visitors, self._runner):
            if runner is not None:
                await runner.cleanup()

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        with self._slow.serving(request):
            return await self._handle(request)

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        try:
            return await self._answer(request)
        except ConnectionError:
            if request.transport is not None and not request.transport.is_closing():
                raise
            return web.Response(status=400)  # the client has left; nobody gets this

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await self._websockets.handle(request)
        query = (
            dict(parse_qsl(request.raw_path.partition("?")[2]))
            if "X-Amz-Algorithm" in request.raw_path
            else {}
        )
        service = "s3"
        try:
            public = visitors.come_by(request)
            # A visitor's own Authorization is for the app.
            signature = read_signature({} if public else request.headers, query)
            if signature is None or (public and signature.service != service):
                return await self._rest.handle(request)
            service = signature.service
            return await self._aws(request, signature)
        except AwsError as error:
            return error_response(service, error)

    async def _aws(self, request: web.Request, signature: Signature) -> web.StreamResponse:
        # A browser asks before it uses a presigned URL.
        if signature.expires is not None and request.method == "OPTIONS":
            return await self._to_moto(request, Body(b"", ""), signature, None, None)
        declared = self._declared_hash(request, signature)
        key = self._verify(request, signature, declared) if declared is not None else None
        body = await (
            read_object(request, self._settings.run)
            if signature.service == "s3"
            else read_document(request)
        )
        try:
            if key is None:
                key = self._verify(request, signature, body.sha256)
            elif declared is not None and _SHA256.fullmatch(declared) and declared != body.sha256:
                raise AwsError(
                    "XAmzContentSHA256Mismatch",
                    "The provided 'x-amz-content-sha256' header does not match what was computed.",
                )
            operation = operation_of(signature.service, request)
            if signature.service not in VPC_SERVICES and self._isolated(key.principal):
                self._refused(key.principal, f"{signature.service}.{operation}")
                if request.transport is not None:
                    request.transport.abort()
                return web.Response(status=504)
            self._counters.called(key.principal, signature.service, operation)
            call = _call(request, signature.service, operation, body)
            self._rights.check(key.principal, call)
            if call.service == "dynamodb":
                dynamodb_limits.check(call.parameters)
            answer = await self._by_own_service(request, signature.service, operation, body, key)
            if answer is None:
                answer = await self._to_moto(request, body, signature, call, key)
            if answer.status < 300:
                self._changes.called(signature.service, operation, request, body)
            return answer
        finally:
            body.close()

    async def _by_own_service(
        self, request: web.Request, service: str, operation: str, body: Body, key: AccessKey
    ) -> web.StreamResponse | None:
        handler = self._services.get(service)
        if handler is None:
            return None
        # Only S3 takes files, and those are moto's.
        data = body.data if isinstance(body.data, bytes) else b""
        return await handler(request, operation, data, key)

    def _declared_hash(self, request: web.Request, signature: Signature) -> str | None:
        """Return the hash of the body that the request declares and has signed, or None."""
        declared = request.headers.get("x-amz-content-sha256")
        if declared is None and signature.expires is not None and signature.service == "s3":
            return UNSIGNED_PAYLOAD
        return declared

    def _verify(self, request: web.Request, signature: Signature, payload_hash: str) -> AccessKey:
        raw_path, _, raw_query = request.raw_path.partition("?")
        return verify(
            signature,
            self._keys.find(signature.key_id),
            method=request.method,
            raw_path=raw_path,
            raw_query=raw_query,
            headers=request.headers,
            payload_hash=payload_hash,
            now=time.time(),
        )

    async def _to_moto(
        self,
        request: web.Request,
        body: Body,
        signature: Signature,
        call: Call | None,
        key: AccessKey | None,
    ) -> web.StreamResponse:
        headers = {
            name: value
            for name, value in request.headers.items()
            if name.lower() not in _HOP_BY_HOP
        }
        if "Authorization" not in headers:  # moto finds the service by it
            headers["Authorization"] = (
                f"AWS4-HMAC-SHA256 Credential=presigned/{signature.scope}, "
                "SignedHeaders=host, Signature=0"
            )
        try:
            async with self._moto.request(
                request.method, request.raw_path, headers=headers, data=body.data or None
            ) as response:
                if (
                    call is not None
                    and key is not None
                    and call.service == "s3"
                    and response.status == 404
                ):
                    self._check_absence(key, call)
                return await _passed_on(request, response)
        except aiohttp.ClientError as error:
            raise AwsError(
                "InternalError", f"the local stack's moto failed: {error}", 500
            ) from error

    def _check_absence(self, key: AccessKey, call: Call) -> None:
        """Hide from callers that may not list a bucket whether an object exists, like S3."""
        if call.operation in (
            "GetObject",
            "HeadObject",
            "HeadBucket",
        ) and not self._rights.may_know_absence(key.principal, call):
            raise denied("s3", "Access Denied")


def _call(request: web.Request, service: str, operation: str, body: Body) -> Call:
    return Call(
        service=service,
        operation=operation,
        method=request.method,
        path=request.raw_path.partition("?")[0],
        query=dict(request.query),
        headers=request.headers,
        body=body.data if isinstance(body.data, bytes) else None,
    )


async def _without_server_name(_request: web.Request, response: web.StreamResponse) -> None:
    response.headers.popall("Server", None)


async def _passed_on(request: web.Request, response: aiohttp.ClientResponse) -> web.StreamResponse:
    headers = [
        (name, value) for name, value in response.headers.items() if name.lower() not in _HOP_BY_HOP
    ]
    length = response.content_length
    if request.method == "HEAD":
        answer = web.StreamResponse(status=response.status)
        answer.headers.update(headers)
        answer.content_length = length
        await answer.prepare(request)
        await answer.write_eof()
        return answer
    if length is not None and length <= 1 << 18:
        whole = web.Response(status=response.status, body=await response.read())
        for name, value in headers:
            whole.headers[name] = value
        return whole
    answer = web.StreamResponse(status=response.status)
    for name, value in headers:
        answer.headers[name] = value
    if length is not None:
        answer.content_length = length
    await answer.prepare(request)
    async for chunk in response.content.iter_chunked(1 << 18):
        await answer.write(chunk)
    await answer.write_eof()
    return answer
