"""A receiving request: its response is streamed, or ends after the frames that there are."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping

from aiohttp import HttpVersion11, web

from agent.sockets.gateway import INTERVAL
from agent.sockets.sockjs.clients import Clients, PollingClient, gone
from chalicelib.clock import Steady
from relay import sockjs
from relay.transports.options import SockJsOptions
from relay.transports.receiving import ReceivingTransport

_LOOK = 1.0
"""Seconds between checks whether the client has hung up; the server is not notified."""


class Poll:
    """One receiving request of a client.

    ``buffered`` says that a proxy passes the response on only after its end (FACTS H2).
    """

    def __init__(
        self,
        request: web.Request,
        clients: Clients,
        options: SockJsOptions,
        receiving: ReceivingTransport,
        callback: str,
        *,
        buffered: bool,
        clock: Steady,
    ) -> None:
        self._request = request
        self._clients = clients
        self._options = options
        self._receiving = receiving
        self._callback = callback
        self._buffered = buffered
        self._clock = clock

    async def answer(
        self, key: str, client: PollingClient, headers: Mapping[str, str]
    ) -> web.StreamResponse:
        """Answer for the client with this key."""
        refusal = self._clients.begin(client, self._request)
        streamed = self._receiving.streaming and not self._buffered
        try:
            if refusal is not None:
                return await self._refuse(refusal, headers, streamed=streamed)
            return await (self._stream if streamed else self._whole)(key, client, headers)
        except BaseException as error:
            if refusal is None:
                self._clients.interrupt(client, key)
            if not isinstance(error, ConnectionError | TimeoutError):
                raise
            if self._request.transport is not None:
                self._request.transport.abort()
            return web.Response()  # for the server only; no client gets it

    async def _whole(
        self, key: str, client: PollingClient, headers: Mapping[str, str]
    ) -> web.StreamResponse:
        patience = self._options.buffered_wait if self._buffered else self._options.heartbeat_delay
        body = [self._opened(), self._wrapped(await self._next(client, patience))]
        if self._receiving.streaming:
            size = len(body[1])
            while size < self._options.buffered_limit and client.polls.closing is None:
                frame = client.polls.next(client.carried.take, self._clock())
                if frame is None:
                    break
                body.append(self._wrapped(frame))
                size += len(body[-1])
        # The client may poll again as soon as it has the answer, so this request ends before the
        # answer is sent.
        self._clients.finish(key, client)
        response = web.Response(text="".join(body), headers=headers)
        async with asyncio.timeout(self._options.write_timeout):
            await response.prepare(self._request)
            await response.write_eof()
        return response

    async def _stream(
        self, key: str, client: PollingClient, headers: Mapping[str, str]
    ) -> web.StreamResponse:
        response = await self._open(headers)
        sent = 0
        while sent < self._options.response_limit and client.polls.closing is None:
            part = self._wrapped(await self._next(client, float("inf")))
            sent += sockjs.size(part)
            if client.polls.closing is not None:
                # A receiver that comes after the close gets it, too, at once.
                self._clients.finish(key, client)
            await self._write(response, part)
        self._clients.finish(key, client)
        async with asyncio.timeout(self._options.write_timeout):
            await response.write_eof()
        return response

    async def _refuse(
        self, frame: str, headers: Mapping[str, str], *, streamed: bool
    ) -> web.StreamResponse:
        if not streamed:
            return web.Response(text=self._opened() + self._wrapped(frame), headers=headers)
        response = await self._open(headers)
        await self._write(response, self._wrapped(frame))
        return response

    async def _open(self, headers: Mapping[str, str]) -> web.StreamResponse:
        response = web.StreamResponse(headers=headers)
        if self._request.version < HttpVersion11:
            # Only the end of the connection can mark the end of the response.
            response.force_close()
        await response.prepare(self._request)
        await self._write(response, self._opened())
        return response

    async def _next(self, client: PollingClient, patience: float) -> str:
        """Return the next frame, or a heartbeat if there is none within ``patience`` seconds.

        :raises ConnectionError: the client has hung up.
        """
        end = self._clock() + patience
        while True:
            client.wanted.clear()
            frame = client.polls.next(client.carried.take, self._clock())
            if frame is not None:
                return frame
            now = self._clock()
            if now >= end:
                return sockjs.HEARTBEAT
            if gone(self._request):
                raise ConnectionResetError("the client hung up")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(
                    client.wanted.wait(),
                    max(0.0, min(_LOOK, end - now, client.polls.heartbeat_in(now))),
                )
                # Frames that come close together go into one response, because the next one is a
                # round trip away.
                await asyncio.sleep(INTERVAL)

    def _opened(self) -> str:
        return self._receiving.prelude(self._callback)

    def _wrapped(self, frame: str) -> str:
        return self._receiving.wrap(frame, self._callback)

    async def _write(self, response: web.StreamResponse, part: str) -> None:
        async with asyncio.timeout(self._options.write_timeout):
            await response.write(part.encode())
