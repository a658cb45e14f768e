"""The large bodies of one instance, as its HTTP server uses them."""

from aiohttp import web

from agent.http.bodies.answers import LATE, LateAnswers
from agent.http.bodies.pages import LatePages
from agent.http.bodies.uploads import Uploads
from chalicelib.agents import protocol
from chalicelib.bodies.pages import PAGES
from chalicelib.bodies.uploads import UPLOADS


class LargeBodies:
    """Answers a browser's requests about large bodies."""

    def __init__(self, answers: LateAnswers, uploads: Uploads, pages: LatePages) -> None:
        self._answers = answers
        self._pages = pages
        self._uploads = uploads

    async def handle(self, request: web.Request, path: str) -> web.StreamResponse | None:
        """Answer a request for ``path`` of the app; return None if it is not about large bodies."""
        if path.startswith(LATE) and request.method == "GET":
            base = request.headers.get(protocol.BASE, "").rstrip("/")
            return await self._answers.late(path, base, request.headers.get("Host", ""))
        if path.startswith(PAGES) and request.method == "GET":
            return self._pages.status(path)
        if path == UPLOADS or path.startswith(UPLOADS + "/"):
            return await self._uploads.handle(request, path)
        return None
