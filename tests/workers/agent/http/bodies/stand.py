"""An agent's HTTP server with real R behind it, and a bucket."""

import contextlib
from collections.abc import Callable
from typing import Any, NamedTuple

from aiohttp import web
from aiohttp.test_utils import TestClient
from yarl import URL

from agent.http.asking import AppRequest, WorkerClient
from agent.http.bodies import (
    Handover,
    KeptAnswers,
    LargeBodies,
    LateAnswers,
    LatePages,
    Objects,
    Uploads,
)
from agent.http.proxy import ForLambda, Proxy
from agent.processes.worker import Worker
from agent.processes.workers import Workers
from chalicelib.agents import protocol
from chalicelib.instances.model import InstanceRef
from tests.workers.agent.fakes import MarkedPages

REF = InstanceRef("a1.v1", 0, "c0ffee")


BUCKET = "bodies-test"


LARGEST = 1_000_000


class Bucket:
    """What is in it."""

    def __init__(self, s3: Any, url: str) -> None:
        self.s3 = s3
        self.url = url

    def objects(self) -> list[str]:
        return [each["Key"] for each in self.s3.list_objects_v2(Bucket=BUCKET).get("Contents", [])]

    def uploads(self) -> list[str]:
        return [
            each["Key"] for each in self.s3.list_multipart_uploads(Bucket=BUCKET).get("Uploads", [])
        ]

    def empty(self) -> bool:
        return not self.objects() and not self.uploads()


class EndMarkedPages(MarkedPages):
    """Marks each page at its end; the test app's pages have no head."""

    def with_client(self, html: bytes, visit: AppRequest) -> bytes:
        return html + b"<!-- page -->"


class Followed(NamedTuple):
    """An answer in the end: where it sends to, and how often it was late."""

    status: int
    body: bytes
    location: str
    hops: int


class Agent:
    """The app's and the large bodies' part of an agent."""

    def __init__(self, make: Callable[[int], Worker], objects: Objects, patience: float) -> None:
        self.app = "bodies"
        self.workers = Workers(make)
        self.kept = KeptAnswers(REF, objects)
        self.answers = LateAnswers(self.kept, lambda: "v1.0.1", patience=patience, abandoned=2.0)
        self.session_pages = EndMarkedPages()
        self.not_pages = self.session_pages.not_pages
        self.pages = LatePages(
            lambda: "v1.0.1", lambda session: session in self.live, patience=patience, abandoned=2.0
        )
        self.asking = WorkerClient(self.workers)
        self.proxy = Proxy(
            self.asking, self.session_pages, ForLambda(self.kept, self.answers, self.pages)
        )
        handover = Handover(self.workers, self.asking.client, objects)
        self.live = {"s1", "s2"}
        self.accepted: Callable[[str, str, int], bool] = lambda session, target, size: True
        self.largest = 10**9
        sessions = {"t1": "s1", "t2": "s2", "old": "s0"}
        self.uploads = Uploads(
            REF,
            objects,
            handover,
            sessions.get,
            self.live.__contains__,
            lambda session, wish: self.accepted(session, wish.target, wish.size),
            lambda: self.largest,
            patience=patience,
        )
        self.bodies = LargeBodies(self.answers, self.uploads, self.pages)
        self.http: TestClient[web.Request, web.Application]

    async def visit(self, request: web.Request) -> web.StreamResponse:
        path = request.rel_url.raw_path
        return await self.bodies.handle(request, path) or await self.proxy.handle(request, path)

    def ask(
        self, method: str, path: str, *, largest: int | None = LARGEST, **options: Any
    ) -> contextlib.AbstractAsyncContextManager[Any]:
        """As a Lambda asks; redirects not followed."""
        sent = {
            protocol.BASE: "/app",
            **({protocol.LARGEST: str(largest)} if largest else {}),
            **options.pop("headers", {}),
        }
        url = URL(f"{self.http.make_url('/')}{path.removeprefix('/')}", encoded=True)
        return self.http.session.request(
            method, url, headers=sent, allow_redirects=False, **options
        )

    async def follow(self, method: str, path: str, **options: Any) -> "Followed":
        """Ask, and ask again where the answer is late; what comes then."""
        hops = 0
        while True:
            async with self.ask(method, path, **options) as answer:
                body = await answer.read()
                where = answer.headers.get("Location", "")
                if not where.startswith("/app/__sheen__/answers/"):
                    return Followed(answer.status, body, where, hops)
            assert answer.status == 303 and where.endswith("?w=v1.0.1")
            hops, method, path, options = hops + 1, "GET", where.removeprefix("/app"), {}

    async def said(self, method: str, path: str, status: int, **options: Any) -> Any:
        async with self.ask(method, path, **options) as answer:
            assert answer.status == status, await answer.text()
            return await answer.json()
