"""The URLs of one SockJS service."""

from __future__ import annotations

import asyncio
import secrets
import time

from aiohttp import web

from agent.sockets.sockjs.application import Application, ClientRequest
from agent.sockets.sockjs.clients import Clients, TooMany
from agent.sockets.sockjs.polling import Poll
from agent.sockets.sockjs.websocket import BadUpgrade, Socket, check
from chalicelib.agents import protocol
from chalicelib.clock import Steady
from relay.errors import ProtocolError
from relay.transports import headers, pages, receiving, sending, urls
from relay.transports.options import SockJsOptions
from relay.transports.receiving import RECEIVING, BadCallback
from relay.transports.sending import BadPayload
from relay.transports.urls import Parameters, Target

_PLAIN = {"Content-Type": "text/plain; charset=UTF-8"}


class RequestTooLarge(Exception):
    """A request's body is larger than it may be."""


class SockJs:
    """Answers every request below the service's prefix.

    ``clock`` is any steady clock; by default the event loop's.
    """

    def __init__(
        self,
        application: Application,
        options: SockJsOptions,
        clock: Steady | None = None,
    ) -> None:
        self._application = application
        self._options = options
        self._clock = clock or asyncio.get_running_loop().time
        self._clients = Clients(application, options, self._clock)

    async def handle(self, request: web.Request, path: str) -> web.StreamResponse:
        """Answer a request.

        ``path`` is the part of the URL below the prefix, percent-encoded, with its slash.
        """
        try:
            parameters, rest = urls.parameters(path)
        except ProtocolError as error:
            return _not_found(str(error))
        target = urls.target(rest)
        if target is None:
            return _not_found("no such SockJS URL")
        if request.method == "HEAD" and target.name in urls.PAGES:
            return self._page(request, target)
        if request.method not in target.methods:
            return web.Response(status=405, headers={"Allow": ", ".join(target.methods)})
        if not urls.NAMES.get(target.name, {""}).difference(self._options.disabled):
            return _not_found(f"this app does not use {target.name}")
        if request.method == "OPTIONS":
            return web.Response(
                status=204,
                headers={**headers.options(target.methods, time.time()), **_cors(request)},
            )
        if target.name in urls.PAGES:
            return self._page(request, target)
        return await self._transport(request, target, parameters)

    def close(self) -> None:
        """Forget every client."""
        self._clients.close()

    # Requests that belong to no session

    def _page(self, request: web.Request, target: Target) -> web.Response:
        match target.name:
            case "info":
                text = pages.info(
                    # WebSockets cannot pass a gateway for requests and responses.
                    websocket=self._options.websocket and not _buffered(request),
                    cookie_needed=self._options.cookie_needed,
                    entropy=secrets.randbits(32),
                )
                return web.Response(
                    text=text,
                    headers={
                        "Content-Type": pages.INFO_TYPE,
                        **headers.NEVER_CACHED,
                        **_cors(request),
                    },
                )
            case "iframe":
                return self._iframe(request)
            case _:
                return web.Response(
                    text=pages.GREETING, headers={"Content-Type": pages.GREETING_TYPE}
                )

    def _iframe(self, request: web.Request) -> web.Response:
        url = self._options.client_url
        page, etag = pages.iframe(
            request.headers.get(protocol.BASE, "").rstrip("/") + url if url.startswith("/") else url
        )
        cached = {**headers.cached(time.time()), "ETag": etag}
        if pages.matches(etag, request.headers.get("If-None-Match", "")):
            return web.Response(status=304, headers=cached)
        return web.Response(text=page, headers={"Content-Type": pages.IFRAME_TYPE, **cached})

    # Requests that belong to a session

    async def _transport(
        self, request: web.Request, target: Target, parameters: Parameters
    ) -> web.StreamResponse:
        visit = ClientRequest(parameters, request.headers, request.host)
        # No part of a URL contains a line break.
        key = f"{parameters.key}\n{target.session}"
        match target.name:
            case "websocket" | "raw":
                return await self._websocket(request, visit, raw=target.name == "raw")
            case "xhr_send" | "jsonp_send":
                return await self._send(request, target, key, visit)
            case _:
                return await self._receive(request, target, key, visit)

    async def _receive(
        self, request: web.Request, target: Target, key: str, visit: ClientRequest
    ) -> web.StreamResponse:
        transport = RECEIVING[target.name]
        callback = ""
        try:
            if transport.needs_callback:
                callback = receiving.callback(
                    request.query.get("c") or request.query.get("callback")
                )
            client = self._clients.enter(key, visit)
        except BadCallback as error:
            return web.Response(
                status=500, text=str(error), headers={**_PLAIN, **headers.NEVER_CACHED}
            )
        except TooMany:
            return web.Response(
                status=503,
                text="Too many clients.\n",
                headers={**_PLAIN, **headers.NEVER_CACHED, "Retry-After": "5"},
            )
        if not client.carried.admits(visit):
            return _not_found("no such session")
        poll = Poll(
            request,
            self._clients,
            self._options,
            transport,
            callback,
            buffered=_buffered(request),
            clock=self._clock,
        )
        answered = {
            "Content-Type": transport.content_type,
            **headers.NEVER_CACHED,
            **self._session_cookie(request),
        }
        if transport.cors:
            answered |= _cors(request)
        if transport.needs_callback:
            answered["X-Content-Type-Options"] = "nosniff"
        return await poll.answer(key, client, answered)

    async def _send(
        self, request: web.Request, target: Target, key: str, visit: ClientRequest
    ) -> web.Response:
        client = self._clients.find(key)
        if client is None or not client.carried.admits(visit):
            return _not_found("no such session")
        form = target.name == "jsonp_send"
        told = {
            **_PLAIN,
            **headers.NEVER_CACHED,
            **self._session_cookie(request),
            **({} if form else _cors(request)),
        }
        try:
            body = await self._body(request)
            payload = (
                sending.jsonp(body, request.headers.get("Content-Type", ""))
                if form
                else sending.xhr(body)
            )
        except RequestTooLarge:
            return web.Response(status=413, text="The payload is too large.\n", headers=told)
        except BadPayload as error:
            return web.Response(status=500, text=str(error), headers=told)
        if client.polls.closing is None:
            await client.carried.receive(payload)
        return (
            web.Response(text="ok", headers=told)
            if form
            else web.Response(status=204, headers=told)
        )

    async def _websocket(
        self, request: web.Request, visit: ClientRequest, *, raw: bool
    ) -> web.StreamResponse:
        if not self._options.websocket:
            return _not_found("this app is not reached by WebSocket")
        try:
            check(request)
        except BadUpgrade as error:
            return web.Response(status=400, text=str(error), headers=_PLAIN)
        return await Socket(self._application, self._options, raw=raw).run(request, visit)

    async def _body(self, request: web.Request) -> bytes:
        """Return a request's body.

        It is read here because the agent's own limit is that of a WebSocket frame.

        :raises TooLarge: it has more than ``largest_body`` bytes.
        """
        body = bytearray()
        if (request.content_length or 0) > self._options.largest_body:
            raise RequestTooLarge
        async for chunk in request.content.iter_any():
            body += chunk
            if len(body) > self._options.largest_body:
                raise RequestTooLarge
        return bytes(body)

    def _session_cookie(self, request: web.Request) -> dict[str, str]:
        if not self._options.cookie_needed:
            return {}
        return headers.jsessionid(request.headers.get("Cookie", ""))


def _buffered(request: web.Request) -> bool:
    return request.headers.get(protocol.BUFFERED) == "1"


def _cors(request: web.Request) -> dict[str, str]:
    return headers.cors(
        request.headers.get("Origin", ""), request.headers.get("Access-Control-Request-Headers", "")
    )


def _not_found(why: str) -> web.Response:
    return web.Response(
        status=404, text=f"{why}\n", headers={**_PLAIN, "Cache-Control": "no-store"}
    )
