"""The services that the document ``sockjs-protocol`` (May 2026) wants of a test server, on the
agent's own code.

Run it with ``python -m tests.workers.agent.sockets.sockjs.server [port]``.
"""

from __future__ import annotations

import asyncio
import sys
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import replace

from aiohttp import web

from agent.sockets.sockjs import SockJs
from agent.sockets.sockjs.application import Application, ClientRequest, ClientSide
from chalicelib.clock import Steady
from relay import sockjs
from relay.transports.options import SockJsOptions
from relay.transports.polls import GO_AWAY
from relay.transports.sending import Payload

OPTIONS = SockJsOptions(response_limit=4096, client_url="/lib/sockjs.js")
PORT = 8081


class _Told:
    """A client that is told what the service wants to say."""

    def __init__(self, service: Service, wake: Callable[[], None]) -> None:
        self._service = service
        self._wake = wake
        self._waiting: deque[str] = deque()

    def tell(self, messages: Iterable[str]) -> None:
        self._waiting.extend(messages)
        self._wake()

    def take(self) -> str | None:
        if not self._waiting:
            return None
        frame = sockjs.array(map(sockjs.escape, self._waiting))
        self._waiting.clear()
        return frame

    def admits(self, visit: ClientRequest) -> bool:
        return True

    async def receive(self, payload: Payload) -> None:
        self._service.said(self, payload.messages)

    def lost(self) -> None:
        self._service.clients.discard(self)


class Service:
    """Echoes."""

    def __init__(self) -> None:
        self.clients: set[_Told] = set()

    def open(self, visit: ClientRequest, wake: Callable[[], None]) -> ClientSide:
        client = _Told(self, wake)
        self.clients.add(client)
        return client

    def said(self, client: _Told, messages: list[str]) -> None:
        if messages:
            client.tell(messages)


class Amplify(Service):
    """Answers a number n with 2^n letters."""

    def said(self, client: _Told, messages: list[str]) -> None:
        for message in messages:
            number = int(message) if message.isdecimal() and len(message) < 3 else 1
            client.tell(["x" * 2 ** (number if 0 < number < 19 else 1)])


class Broadcast(Service):
    """Tells everybody."""

    def said(self, client: _Told, messages: list[str]) -> None:
        for other in list(self.clients):
            other.tell(messages)


class Close:
    """Closes at once."""

    def open(self, visit: ClientRequest, wake: Callable[[], None]) -> ClientSide:
        return _Closed()


class _Closed:
    def take(self) -> str | None:
        return GO_AWAY

    def admits(self, visit: ClientRequest) -> bool:
        return True

    async def receive(self, payload: Payload) -> None:
        pass

    def lost(self) -> None:
        pass


def application(options: SockJsOptions = OPTIONS, clock: Steady | None = None) -> web.Application:
    """All services below their names; to be made in the event loop that serves it."""
    made: dict[str, tuple[Application, SockJsOptions]] = {
        "echo": (Service(), options),
        "disabled_websocket_echo": (Service(), replace(options, websocket=False)),
        "cookie_needed_echo": (Service(), replace(options, cookie_needed=True)),
        "close": (Close(), options),
        "amplify": (Amplify(), options),
        "broadcast": (Broadcast(), options),
    }
    services = {
        name: SockJs(application, options, clock) for name, (application, options) in made.items()
    }

    async def answer(request: web.Request) -> web.StreamResponse:
        _, name, *_ = request.rel_url.raw_path.split("/")
        service = services.get(name)
        if service is None:
            raise web.HTTPNotFound
        return await service.handle(request, request.rel_url.raw_path.removeprefix(f"/{name}"))

    async def close(_: web.Application) -> None:
        for service in services.values():
            service.close()

    app = web.Application(client_max_size=1)  # the services read bodies themselves
    app.router.add_route("*", "/{path:.*}", answer)
    app.on_shutdown.append(close)
    return app


async def serve(port: int) -> web.AppRunner:
    """Serve on a port of this machine, 0 for any."""
    runner = web.AppRunner(application(), access_log=None, shutdown_timeout=0.2)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    return runner


async def _main() -> None:
    runner = await serve(int(sys.argv[1]) if len(sys.argv) > 1 else PORT)
    sys.stdout.write(f"http://127.0.0.1:{runner.addresses[0][1]}\n")
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_main())
