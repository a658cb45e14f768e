"""The agent's HTTP server, which answers the Lambdas."""

import hmac
import json
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from aiohttp import web

from agent.activity import Activity
from agent.http.answers import PageShown, refused
from agent.http.client_files import ClientFiles
from agent.http.session_urls import SessionUrls
from agent.log import logger
from agent.processes.worker import Worker, WorkerState
from agent.processes.workers import Workers
from agent.sockets.sessions import Sessions
from chalicelib.agents import protocol
from chalicelib.agents.protocol import Refusal
from chalicelib.errors import Broken, SheenError
from relay.settings import LARGEST_FRAME

LAMBDA_SLEEPS = 300.0
"""Seconds that an unused connection is kept, while a Lambda's environment sleeps.

The environment sleeps between two visitors. After 350 s the network forgets a connection.
"""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
AppHandler = Callable[[web.Request, str], Awaitable[web.StreamResponse]]


class CannotListen(Broken):
    """The agent's address is in use, or does not belong to this machine."""


class InstanceOrders(Protocol):
    """Requests that concern the instance as a whole.

    :class:`agent.life.orders.Orders` carries them out. It leads the instance's life, which this
    folder does not know.
    """

    @property
    def takes_sessions(self) -> bool:
        """Whether new sessions may come."""

    async def restart(self) -> int:
        """Give new sessions new workers, by the current settings; return how many were retired."""

    async def catch_up_with(self, above: int) -> None:
        """Restart unless the layers above the app are those of this change, or later ones."""

    def retire(self) -> None:
        """Take no new sessions, and report idle when the last session has left."""

    def supersede(self) -> None:
        """Take no new sessions, and end the current ones."""


@dataclass(frozen=True)
class AppParts:
    """The parts that serve an app.

    ``pages`` passes a request to R, unless ``session_urls`` refuses it. ``sockjs`` answers requests
    under ``__sockjs__``, and ``bodies`` those about large bodies.
    """

    pages: AppHandler
    sessions: Sessions
    workers: Workers
    activity: Activity
    client: ClientFiles
    orders: InstanceOrders
    signed_out: Callable[[Collection[str]], int] = lambda logins: 0
    """Ends the sessions of logins that have ended."""
    session_urls: SessionUrls | None = None
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
        app: AppParts | None = None,
    ) -> None:
        self._instance_id = instance_id
        self._key = key.encode()
        self._watch = watch
        self._bind = bind
        self._bound = app

    def serve(self, app: AppParts) -> None:
        """Serve this app from here on."""
        self._bound = app

    @property
    def _app(self) -> AppParts:
        if self._bound is None:
            spare = Refusal.SPARE
            raise web.HTTPConflict(text=f"{spare.text}\n", headers={protocol.REFUSED: spare.text})
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
        application.router.add_route("POST", protocol.SIGN_OUT, self._sign_out)
        application.router.add_route("GET", protocol.STATUS, self._status)
        application.router.add_route("GET", protocol.HEALTH, self._health)
        application.router.add_route("*", protocol.APP + "/{tail:.*}", self._visit)
        return application

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Refuse requests without this instance's key, or for another instance."""
        # This is asked within the task, by a caller without the key. The answer tells nothing else.
        if request.path == protocol.HEALTH:
            return await handler(request)
        if request.headers.get(protocol.INSTANCE) != self._instance_id:
            return refused(Refusal.OTHER_INSTANCE)
        if not hmac.compare_digest(request.headers.get(protocol.AGENT_KEY, "").encode(), self._key):
            return refused(Refusal.WRONG_KEY)
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
            return refused(Refusal.FAILED)

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
        if request.headers.get(protocol.SESSION):
            if not self._app.orders.takes_sessions:
                return refused(Refusal.RETIRED)
            above = request.headers.get(protocol.ABOVE, "")
            try:
                await self._app.orders.catch_up_with(int(above) if above.isdecimal() else 0)
            except SheenError as error:
                return refused(Refusal.CANNOT_RESTART, str(error))
        if self._app.session_urls is not None:
            refusal = self._app.session_urls.refused(
                request.method, path, request.headers, request.host
            )
            if refusal is not None:
                return refusal
        answer = await self._app.pages(request, path)
        if isinstance(answer, PageShown) and protocol.DRAFT in request.headers:
            return answer.as_draft()
        return answer

    async def _message(self, request: web.Request) -> web.Response:
        try:
            frame = (await request.read()).decode()
        except UnicodeDecodeError:
            return web.Response(status=400, text="the message is not UTF-8\n")
        session = request.headers.get(protocol.SESSION, "")
        known = await self._app.sessions.message(request.match_info["connection"], session, frame)
        return web.Response() if known else refused(Refusal.NO_SESSION)

    async def _disconnect(self, request: web.Request) -> web.Response:
        await self._app.sessions.disconnect(request.match_info["connection"])
        self._app.activity.touch()
        return web.Response(status=204)

    async def _take_watch(self, request: web.Request) -> web.Response:
        try:
            body = protocol.Watch.parse(await request.read())
        except ValueError as error:
            return web.Response(status=400, text=f"{error}\n")
        if self._watch(body.token, body.order):
            return web.Response(status=204)
        return refused(Refusal.LATER_TOKEN)

    async def _take_bind(self, request: web.Request) -> web.Response:
        try:
            body = protocol.Bind.parse(await request.read())
        except ValueError as error:
            return web.Response(status=400, text=f"{error}\n")
        try:
            await self._bind(body.instance)
        except SheenError as error:
            return refused(Refusal.CANNOT_BIND, str(error))
        return web.json_response({})

    async def _restart(self, _request: web.Request) -> web.Response:
        try:
            return web.json_response({"retired": await self._app.orders.restart()})
        # The app or its settings have changed for the worse; running workers continue.
        except SheenError as error:
            return refused(Refusal.CANNOT_RESTART, str(error))

    async def _retire(self, _request: web.Request) -> web.Response:
        self._app.orders.retire()
        return web.Response(status=204)

    async def _supersede(self, _request: web.Request) -> web.Response:
        self._app.orders.supersede()
        return web.Response(status=204)

    async def _sign_out(self, request: web.Request) -> web.Response:
        try:
            ended = {str(each) for each in json.loads(await request.read())}
        except (ValueError, TypeError, RecursionError):
            return web.Response(status=400, text="the body must be a list of logins' ids\n")
        return web.json_response({"sessions": self._app.signed_out(ended)})

    async def _health(self, _request: web.Request) -> web.Response:
        """Answer whether R is sound.

        R is judged by its processes and their sockets, never by how fast it answers (FACTS R6).
        """
        workers = self._bound.workers.all if self._bound is not None else ()
        broken = [worker.spec.worker_id for worker in workers if not is_sound(worker)]
        text = f"R is not as it should be: {', '.join(broken)}" if broken else "healthy"
        return web.Response(status=503 if broken else 200, text=f"{text}\n")

    async def _status(self, _request: web.Request) -> web.Response:
        """Answer with the sessions and workers, for a person who looks into a running task."""
        return web.json_response(
            {
                "sessions": self._app.sessions.active(),
                "reserved": self._app.sessions.reserved(),
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
