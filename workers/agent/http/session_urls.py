"""Who is answered at a session's URLs: its downloads, uploads and data (FACTS S3)."""

import re
from collections.abc import Mapping
from typing import Protocol
from urllib.parse import unquote

from aiohttp import web

from chalicelib.sessions import passes

_TOKEN = re.compile(r"/session/([0-9a-f]{16,128})(?=/|\Z)")
_OVER = "The session of this link is over. Load the app's page again, and use the link that it shows then."
_NOT_YOURS = (
    "This link belongs to the page that shows it, and to the browser that has that page. Open the app yourself, and use the link that it "
    "shows you. If this is that browser: it must keep the app's cookies."
)


class Sessions(Protocol):
    """What this needs of :class:`agent.sockets.sessions.Sessions`."""

    def session_of_token(self, token: str) -> str | None:
        """The session to which a worker gave this token."""

    def visitor_of(self, session_id: str) -> str:
        """The visitor that a session belongs to."""

    def keeps_cookies(self, session_id: str) -> bool:
        """Whether the session's browser keeps cookies for its page."""


class SessionUrls:
    """Asks for the visitor cookie of a session's page, for a token in a URL is no pass: URLs are
    logged and shared.

    A browser that keeps no cookies for the page shows none. The page says so on its socket, which
    has a ticket; then the token has to do.
    """

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    def refused(self, method: str, path: str, headers: Mapping[str, str], host: str) -> web.Response | None:
        """Return what somebody else's request for ``path`` (encoded) gets; None for a request that
        may go on to the worker."""
        found = _TOKEN.search(unquote(path))
        if found is None:
            return None
        session_id = self._sessions.session_of_token(found[1])
        if session_id is None:
            # A worker knows a token at the start of a path only; elsewhere the path is the app's.
            return _answer(404, _OVER) if found.start() == 0 else None
        if not self._sessions.keeps_cookies(session_id):
            return None
        if not passes.is_visitor(headers.get("Cookie", ""), self._sessions.visitor_of(session_id)):
            return _answer(403, _NOT_YOURS)
        opened = method in ("GET", "HEAD") and headers.get("Sec-Fetch-Mode", "") == "navigate"
        if opened or passes.from_own_site(headers.get("Sec-Fetch-Site", ""), headers.get("Origin", ""), host):
            return None
        return _answer(403, _NOT_YOURS)

    def is_open_to(self, session_id: str, path: str) -> bool:
        """Tell whether a session's own page may send a body to ``path`` (encoded): not to another session's URL."""
        found = _TOKEN.search(unquote(path))
        if found is None:
            return True
        owner = self._sessions.session_of_token(found[1])
        return owner == session_id or (owner is None and found.start() > 0)


def _answer(status: int, text: str) -> web.Response:
    return web.Response(status=status, text=f"{text}\n", headers={"Cache-Control": "no-store"})
