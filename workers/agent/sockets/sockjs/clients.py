"""The clients that poll: their keys, and when they are forgotten."""

from __future__ import annotations

import asyncio

from aiohttp import web

from agent.sockets.sockjs.application import Application, ClientRequest, ClientSide, enter
from chalicelib.clock import Steady
from relay.transports.options import SockJsOptions
from relay.transports.polls import Polls


class TooMany(Exception):
    """The service has as many clients as it may."""


class PollingClient:
    """One client that polls."""

    def __init__(self, polls: Polls, application: Application, visit: ClientRequest) -> None:
        self.polls = polls
        self.wanted = asyncio.Event()
        self.carried: ClientSide = enter(application, visit, self.wanted.set)
        self.request: web.Request | None = None
        """The request that receives, or received last."""
        self.timer: asyncio.TimerHandle | None = None
        self._lost = False

    def lose(self) -> None:
        """Tell the application that this client is gone."""
        if not self._lost:
            self._lost = True
            self.carried.lost()


class Clients:
    """All clients of one service, by the keys in their URLs."""

    def __init__(self, application: Application, options: SockJsOptions, clock: Steady) -> None:
        self._application = application
        self._options = options
        self._clock = clock
        self._clients: dict[str, PollingClient] = {}

    def find(self, key: str) -> PollingClient | None:
        """Return the client with this key, if there is one."""
        return self._clients.get(key)

    def enter(self, key: str, visit: ClientRequest) -> PollingClient:
        """Return the client with this key; a new one is let in.

        :raises TooMany: there is no room for another client.
        """
        client = self._clients.get(key)
        if client is None:
            if len(self._clients) >= self._options.most_clients:
                raise TooMany
            polls = Polls(
                self._options.heartbeat_delay, self._options.disconnect_delay, self._clock()
            )
            client = self._clients[key] = PollingClient(polls, self._application, visit)
        return client

    def begin(self, client: PollingClient, request: web.Request) -> str | None:
        """Begin a receiving request; return None, or the one frame that it gets instead."""
        if client.polls.receiving and client.request is not None and gone(client.request):
            self.interrupt(client)
        refusal = client.polls.begin(self._clock())
        if refusal is None:
            client.request = request
        return refusal

    def finish(self, key: str, client: PollingClient) -> None:
        """Note that a receiving request ended as it should."""
        client.polls.finish(self._clock())
        self._settle(key, client)

    def interrupt(self, client: PollingClient, key: str | None = None) -> None:
        """Note that a receiving request's connection broke."""
        client.polls.interrupt(self._clock())
        self._settle(key, client)
        client.wanted.set()

    def close(self) -> None:
        """Forget all clients."""
        for client in self._clients.values():
            if client.timer is not None:
                client.timer.cancel()
            client.lose()
            client.wanted.set()
        self._clients.clear()

    def _settle(self, key: str | None, client: PollingClient) -> None:
        if client.polls.closing is not None:
            client.lose()
        if key is not None and client.timer is None and client.polls.deadline is not None:
            delay = max(0.0, client.polls.deadline - self._clock())
            client.timer = asyncio.get_running_loop().call_later(delay, self._time_out, key, client)

    def _time_out(self, key: str, client: PollingClient) -> None:
        client.timer = None
        deadline = client.polls.deadline
        if deadline is None:
            return  # it receives again; the end of that request sets a new timer
        if deadline > self._clock():
            self._settle(key, client)
            return
        if self._clients.get(key) is client:
            del self._clients[key]
        client.lose()


def gone(request: web.Request) -> bool:
    """Return whether the client has hung up."""
    return request.transport is None or request.transport.is_closing()
