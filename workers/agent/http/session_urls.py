"""Decides which requests may use a session's URLs: its downloads, uploads and data (FACTS S3)."""

import re
from collections.abc import Mapping
from urllib.parse import unquote

from aiohttp import web

from agent.sockets.sessions import Sessions
from chalicelib.sessions import passes

_TOKEN = re.compile(r"/session/([0-9a-f]{16,128})(?=/|\Z)")
_OVER = (
    "The session of this link is over. Load the app's page again, and use the link that it "
    "shows then."
)
_NOT_YOURS = (
    "This link belongs to the page that shows it, and to the browser that has that page. "
    "Open the app yourself, and use the link that it "
    "shows you. If this is that browser: it must keep the app's cookies."
)


class SessionUrls:
    """Requires the visitor cookie of a session's page for the session's URLs.

    A token in a URL is not enough, because URLs are logged and shared.

    A browser that keeps no cookies for the page shows none. The page says so on its socket, which
    has a ticket; then the token must suffice.
    """

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    def refused(
        self, method: str, path: str, headers: Mapping[str, str], host: str
    ) -> web.Response | None:
        """Return the refusal of a request for ``path`` (encoded) by another visitor.

        Return None for a request that may go on to the worker.
        """
        found = _TOKEN.search(unquote(path))
        if found is None:
            return None
        session_id = self._sessions.session_of_token(found[1])
        if session_id is None:
            # A worker only knows a token at the start of a path; elsewhere the path is the app's.
            return _answer(404, _OVER) if found.start() == 0 else None
        if not self._sessions.keeps_cookies(session_id):
            return None
        if not passes.is_visitor(headers.get("Cookie", ""), self._sessions.visitor_of(session_id)):
            return _answer(403, _NOT_YOURS)
        opened = method in ("GET", "HEAD") and headers.get("Sec-Fetch-Mode", "") == "navigate"
        if opened or passes.from_own_site(
            headers.get("Sec-Fetch-Site", ""), headers.get("Origin", ""), host
        ):
            return None
        return _answer(403, _NOT_YOURS)

    def is_open_to(self, session_id: str, path: str) -> bool:
        """Return whether a session's own page may send a body to ``path`` (encoded).

        It may not send to another session's URL.
        """
        found = _TOKEN.search(unquote(path))
        if found is None:
            return True
        owner = self._sessions.session_of_token(found[1])
        return owner == session_id or (owner is None and found.start() > 0)


def _answer(status: int, text: str) -> web.Response:
    return web.Response(status=status, text=f"{text}\n", headers={"Cache-Control": "no-store"})
