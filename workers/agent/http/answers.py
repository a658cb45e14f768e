"""The agent's own answers for requests that R cannot answer."""

from collections.abc import Mapping
from pathlib import Path

from aiohttp import web

from agent import failure
from agent.failure import NoSeat, WorkerFailed
from chalicelib import pages
from chalicelib.agents import protocol
from chalicelib.agents.protocol import Refusal
from chalicelib.errors import Busy, Gone

RETRY_AFTER = 2
"""Seconds after which a browser may try again if R ended during a request."""


class PageShown(web.Response):
    """One of Sheen's own pages; its own headers count more than ``headers``."""

    def __init__(self, page: pages.Page, headers: Mapping[str, str]) -> None:
        super().__init__(status=page.status, text=page.html, headers={**headers, **page.headers})
        self._draft = page.draft

    def as_draft(self) -> web.Response:
        """Return the page for a caller that makes HTML of it by templates of its own."""
        replaced = ("content-length", "content-type")
        kept = {name: value for name, value in self.headers.items() if name.lower() not in replaced}
        kept |= {"content-type": "application/json", protocol.DRAFT: "1"}
        return web.Response(status=self.status, text=self._draft.encoded(), headers=kept)


def wants_page(request: web.Request) -> bool:
    """Return whether a person will read the answer."""
    return request.method in ("GET", "HEAD") and "text/html" in request.headers.get("Accept", "")


def refused(refusal: Refusal, why: str = "") -> web.Response:
    """Return the agent's own refusal, which a Lambda can tell from an app's answer."""
    return web.Response(
        status=refusal.status,
        text=f"{why or refusal.text}\n",
        headers={protocol.REFUSED: refusal.text},
    )


def failed(
    request: web.Request, error: WorkerFailed, directory: Path, base: str, sanitize: bool
) -> web.Response:
    """Return the answer for a request during which R did not start, or ended.

    It is a page for people, and otherwise a line of text. With ``sanitize``, R's own output only
    goes to the log.
    """
    headers = {"cache-control": "no-store"}
    if error.status == Busy.status:
        headers["retry-after"] = str(RETRY_AFTER)
    if error.status == Gone.status or not wants_page(request):
        return web.Response(status=error.status, text=f"{error}\n", headers=headers)
    if isinstance(error, NoSeat):
        full = pages.users(base.rpartition("/")[2] or "The app")
        return PageShown(full, headers)
    title = "The app stopped" if error.status == Busy.status else "The app could not start"
    detail = None if sanitize or not error.said else failure.shown(error.said, directory)
    page = pages.error(title, str(error), detail, f"{base}/", status=error.status)
    return PageShown(page, headers)
