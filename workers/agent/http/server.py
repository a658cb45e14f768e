"""The agent's HTTP server, which answers the Lambdas."""

import hmac
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from aiohttp import web

from agent.activity import Activity
from agent.http.client_files import ClientFiles
from agent.log import logger
from agent.processes.worker import Worker, WorkerState
from agent.processes.workers import Workers
from chalicelib.agents import protocol
from chalicelib.errors import Broken, SheenError

LARGEST_FRAME = 128 * 1024
"""Largest message of a connection, in bytes (FACTS W1)."""
LAMBDA_SLEEPS = 300.0
"""Seconds that an unused connection is kept, while a Lambda's environment sleeps.

The environment sleeps between two visitors. After 350 s the network forgets a connection.
"""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
AppHandler = Callable[[web.Request, str], Awaitable[web.StreamResponse]]


class CannotListen(Broken):
    """The agent's address is in use, or does not belong to this machine."""


class Relay(Protocol):
    """The part of :class:`agent.sockets.sessions.Sessions` that the server uses."""

    async def message(self, connection_id: str, session_id: str, frame: str) -> bool:
        """Handle a frame from a connection; return False if there is no such session."""

    async def disconnect(self, connection_id: str) -> None:
        """Note that a connection is gone."""

    def active(self) -> int:
        """Return how many sessions are live."""

    def reserved(self) -> int:
        """Return how many sessions wait for their first connection."""


class Orders(Protocol):
    """Requests that concern the instance as a whole."""

    @property
    def takes_sessions(self) -> bool:
        """Whether new sessions may come."""

    async def restart(self) -> int:
        """Give new sessions new workers, by the current settings; return how many were retired."""

    def retire(self) -> None:
        """Take no new sessions, and report idle when the last session has left."""

    def supersede(self) -> None:
        """Take no new sessions, and end the current ones."""


@dataclass(frozen=True)
class App:
    """The parts that serve an app.

    ``pages`` passes a request to R. ``sockjs`` answers requests under ``__sockjs__``, and
    ``bodies`` those about large bodies.
    """

    pages: AppHandler
    relay: Relay
    workers: Workers
    activity: Activity
    client: ClientFiles
    orders: Orders
    sockjs: AppHandler | None = None
    bodies: Callable[[web.Request, str], Awaitable[web.StreamResponse | None]] | None = None


class Server:
    """The routes of the agent.

    A spare instance has no ``app`` until it is bound to one. ``bind`` gets the instance to bind to,
    and calls :meth:`serve`.
    """

    def __init__(
        self,
        instance_id: str,
        key: str,
        watch: Callable[[str, int], bool],
        bind: Callable[[str], Awaitable[None]],
        app: App | None = None,
    ) -> None:
        self._instance_id = instance_id
        self._key = key.encode()
        self._watch = watch
        self._bind = bind
        self._bound = app

    def serve(self, app: App) -> None:
        """Serve this app from here on."""
        self._bound = app

    @property
    def _app(self) -> App:
        if self._bound is None:
            raise web.HTTPConflict(text="this instance is a spare, and bound to no app\n")
        return self._bound

    def application(self) -> web.Application:
        """Return the aiohttp application."""
        application = web.Application(client_max_size=LARGEST_FRAME, middlewares=[self._guard])
        application.router.add_route("POST", protocol.CONNECTIONS + "{connection}", self._message)
        application.router.add_route(
            "DELETE", protocol.CONNECTIONS + "{connection}", self._disconnect
        )
        application.router.add_route("POST", protocol.WATCH, self._take_watch)
        application.router.add_route("POST", protocol.BIND, self._take_bind)
        application.router.add_route("POST", protocol.RESTART, self._restart)
        application.router.add_route("POST", protocol.RETIRE, self._retire)
        application.router.add_route("POST", protocol.SUPERSEDE, self._supersede)
        application.router.add_route("GET", "/status", self._status)
        application.router.add_route("GET", "/health", self._health)
        application.router.add_route("*", protocol.APP + "/{tail:.*}", self._visit)
        return application

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Refuse requests without this instance's key, or for another instance."""
        # This is asked within the task, by a caller without the key. The answer tells nothing else.
        if request.path == "/health":
            return await handler(request)
        if request.headers.get(protocol.INSTANCE) != self._instance_id:
            return _refused(410, "this is the agent of another instance")
        if not hmac.compare_digest(request.headers.get(protocol.AGENT_KEY, "").encode(), self._key):
            return _refused(403, "the agent key is wrong")
        try:
            return await handler(request)
        except web.HTTPException:
            raise
        except ConnectionError:
            if request.transport is not None and not request.transport.is_closing():
                raise
            return web.Response(status=400)  # the Lambda has left; nobody gets this
        except Exception:
            logger.exception("a request failed", extra={"path": request.path})
            return web.Response(
                status=500,
                text="The agent failed; its log says why.\n",
                headers={protocol.REFUSED: "failed"},
            )

    async def _visit(self, request: web.Request) -> web.StreamResponse:
        self._app.activity.touch()
        path = request.rel_url.raw_path.removeprefix(protocol.APP)
        if path.startswith("/__sheen__/"):
            if (
                self._app.bodies is not None
                and (answer := await self._app.bodies(request, path)) is not None
            ):
                return answer
            return self._app.client.answer(
                path.removeprefix("/__sheen__/"),
                request.rel_url.raw_query_string,
                request.headers.get("If-None-Match", ""),
            )
        if path.startswith("/__sockjs__/"):
            if self._app.sockjs is None:
                return web.Response(status=404, text="this app is reached by WebSocket only\n")
            return await self._app.sockjs(request, path.removeprefix("/__sockjs__"))
        if request.headers.get(protocol.SESSION) and not self._app.orders.takes_sessions:
            return _refused(410, "this instance is retired")
        return await self._app.pages(request, path)

    async def _message(self, request: web.Request) -> web.Response:
        try:
            frame = (await request.read()).decode()
        except UnicodeDecodeError:
            return web.Response(status=400, text="the message is not UTF-8\n")
        session = request.headers.get(protocol.SESSION, "")
        known = await self._app.relay.message(request.match_info["connection"], session, frame)
        return web.Response(
            status=200 if known else 404, headers={} if known else {protocol.REFUSED: "session"}
        )

    async def _disconnect(self, request: web.Request) -> web.Response:
        await self._app.relay.disconnect(request.match_info["connection"])
        self._app.activity.touch()
        return web.Response(status=204)

    async def _take_watch(self, request: web.Request) -> web.Response:
        try:
            body = json.loads(await request.read())
            # A function that is older than this agent sends no order.
            token, order = body["token"], body.get("order", 0)
        except (ValueError, KeyError, TypeError):
            token, order = None, 0
        if not isinstance(token, str) or not token or not isinstance(order, int):
            return web.Response(
                status=400,
                text='the body must be {"token": "<task token>", "order": <whole number>}\n',
            )
        return (
            web.Response(status=204)
            if self._watch(token, order)
            else _refused(409, "there is a later token")
        )

    async def _take_bind(self, request: web.Request) -> web.Response:
        try:
            instance = json.loads(await request.read())["instance"]
        except (ValueError, KeyError, TypeError):
            instance = None
        if not isinstance(instance, str):
            return web.Response(
                status=400,
                text='the body must be {"instance": "<app_id>.<version>/<slot>/<instance_id>"}\n',
            )
        try:
            await self._bind(instance)
        except SheenError as error:
            return web.json_response({"message": str(error)}, status=409)
        return web.json_response({})

    async def _restart(self, _request: web.Request) -> web.Response:
        try:
            return web.json_response({"retired": await self._app.orders.restart()})
        # The app or its settings have changed for the worse; running workers continue.
        except SheenError as error:
            return web.json_response({"message": str(error)}, status=409)

    async def _retire(self, _request: web.Request) -> web.Response:
        self._app.orders.retire()
        return web.Response(status=204)

    async def _supersede(self, _request: web.Request) -> web.Response:
        self._app.orders.supersede()
        return web.Response(status=204)

    async def _health(self, _request: web.Request) -> web.Response:
        """Answer whether R is sound.

        R is judged by its processes and their sockets, never by how fast it answers (FACTS R6).
        """
        workers = self._bound.workers.all if self._bound is not None else ()
        broken = [worker.spec.worker_id for worker in workers if not is_sound(worker)]
        text = f"R is not as it should be: {', '.join(broken)}" if broken else "healthy"
        return web.Response(status=503 if broken else 200, text=f"{text}\n")

    async def _status(self, _request: web.Request) -> web.Response:
        """Answer with what `sheen status` shows of the instance."""
        return web.json_response(
            {
                "sessions": self._app.relay.active(),
                "reserved": self._app.relay.reserved(),
                "workers": [
                    {
                        "id": worker.spec.worker_id,
                        "state": worker.state.value,
                        "pid": worker.pid,
                        "sessions": self._app.workers.sessions_of(worker),
                        "retired": self._app.workers.is_retired(worker),
                    }
                    for worker in self._app.workers.all
                ],
            }
        )


def is_sound(worker: Worker) -> bool:
    """Return whether a worker that serves has its process and its socket.

    A worker that starts or ends counts as sound.
    """
    if worker.state is not WorkerState.READY:
        return True
    try:
        return (
            worker.pid is not None and Path(f"/proc/{worker.pid}").exists() and worker.has_socket()
        )
    except OSError:
        return False


def runner(application: web.Application) -> web.AppRunner:
    """Return the runner of the application; its ``cleanup`` ends it."""
    return web.AppRunner(
        application, access_log=None, keepalive_timeout=LAMBDA_SLEEPS, shutdown_timeout=5.0
    )


async def listen(application: web.AppRunner, host: str, port: int) -> None:
    """Serve on ``host``:``port``; raise :class:`CannotListen`."""
    await application.setup()
    try:
        await web.TCPSite(application, host, port, backlog=512).start()
    except OSError as error:
        raise CannotListen(
            f"the agent cannot listen on {host}:{port}: {error.strerror}; is another "
            "agent running there?"
        ) from error


def _refused(status: int, why: str) -> web.Response:
    return web.Response(status=status, text=f"{why}\n", headers={protocol.REFUSED: why})
