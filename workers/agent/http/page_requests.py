"""How the pages of this instance's sessions were requested.

R's WebSocket is opened with the headers of the session's page, and the visitor's network says
which pages give way when visitors queue.
"""

from multidict import CIMultiDict


class PageRequests:
    """The requests for the pages, by session."""

    def __init__(self) -> None:
        self._networks: dict[str, str] = {}
        self._logins: dict[str, str] = {}
        self._made: dict[str, tuple[CIMultiDict[str], list[str]]] = {}

    def came(self, session_id: str, network: str, login_id: str = "") -> None:
        """Note that a visitor of this network, and with this login, asks for the session's page."""
        self._networks[session_id] = network
        if login_id:
            self._logins[session_id] = login_id

    def made(self, session_id: str, headers: CIMultiDict[str], set_cookies: list[str]) -> None:
        """Note with which headers R was asked for the page, and the cookies that R set with it."""
        self._made[session_id] = (headers, set_cookies)

    def network_of(self, session_id: str) -> str:
        """Return the network of a session's visitor; empty if it is not known."""
        return self._networks.get(session_id, "")

    def logins(self) -> dict[str, str]:
        """Return the logins of the sessions whose visitors are signed in."""
        return dict(self._logins)

    def of(self, session_id: str) -> tuple[CIMultiDict[str], list[str]]:
        """Return the headers of the request for a page, and the cookies that R set."""
        return self._made.get(session_id, (CIMultiDict[str](), []))

    def forget(self, session_id: str) -> None:
        """Forget a session that has ended, or that never started."""
        self._networks.pop(session_id, None)
        self._logins.pop(session_id, None)
        self._made.pop(session_id, None)
