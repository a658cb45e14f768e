"""The sessions of this instance, reached by SockJS."""

from __future__ import annotations

import itertools
from collections.abc import Callable

from agent.sockets.carriers import Carriers, PollingConnection
from agent.sockets.sessions import Sessions
from agent.sockets.sockjs.application import ClientRefused, ClientRequest, ClientSide
from chalicelib.sessions import passes
from relay import sockjs
from relay.errors import UnknownSession
from relay.transports.sending import Payload

_GONE = sockjs.close(*UnknownSession().ending)


class RelayApplication:
    """The application that lets SockJS clients into their sessions.

    ``session_of_ticket`` checks a ticket and returns its session, or None for a bad ticket or one
    of another instance.

    A client belongs to the session that its robust id names, if its browser shows that session's
    ticket or belongs to the same visitor. A client with a new id belongs to the session of the
    ticket in its page's cookie.
    """

    def __init__(
        self, sessions: Sessions, carriers: Carriers, session_of_ticket: Callable[[str], str | None]
    ) -> None:
        self._sessions = sessions
        self._carriers = carriers
        self._session_of_ticket = session_of_ticket
        self._numbers = itertools.count(1)

    def open(self, visit: ClientRequest, pull: Callable[[], None]) -> ClientSide:
        """Let a client into its session.

        :raises Refused: it names no session, or one that is not here.
        """
        session_id = self._session(visit)
        if session_id is None:
            raise ClientRefused(UnknownSession().ending)
        # No id of API Gateway's contains a space.
        connection_id = f"sockjs {next(self._numbers)}"
        pulled = self._carriers.expect(connection_id, pull)
        if not self._sessions.attach(connection_id, session_id, visit.parameters.opening):
            self._carriers.drop(connection_id)
            raise ClientRefused(UnknownSession().ending)
        return _Connection(self, self._sessions, self._carriers, pulled, connection_id, session_id)

    def admits(self, session_id: str, visit: ClientRequest) -> bool:
        """Return whether a request comes from the browser to which a session belongs.

        It must also come from one of Sheen's pages.
        """
        if not _from_own_site(visit):
            return False
        if passes.is_visitor(_cookie(visit), self._sessions.visitor_of(session_id)):
            return True
        return session_id in map(self._session_of_ticket, passes.tickets(_cookie(visit)))

    def _session(self, visit: ClientRequest) -> str | None:
        opening = visit.parameters.opening
        if (
            opening.robust_id is not None
            and (known := self._sessions.session_of(opening.robust_id)) is not None
        ):
            return known if self.admits(known, visit) else None
        if opening.resume or not _from_own_site(visit):
            return None
        shown = map(self._session_of_ticket, passes.tickets(_cookie(visit)))
        return next((session for session in shown if session is not None), None)


def _from_own_site(visit: ClientRequest) -> bool:
    return passes.from_own_site(
        visit.headers.get("Sec-Fetch-Site", ""), visit.headers.get("Origin", ""), visit.host
    )


def _cookie(visit: ClientRequest) -> str:
    return "; ".join(visit.headers.getall("Cookie", []))


class _Connection:
    """A session's connection that a SockJS client pulls from."""

    def __init__(
        self,
        relay: RelayApplication,
        sessions: Sessions,
        carriers: Carriers,
        pulled: PollingConnection,
        connection_id: str,
        session_id: str,
    ) -> None:
        self._relay = relay
        self._sessions = sessions
        self._carriers = carriers
        self._pulled = pulled
        self._connection_id = connection_id
        self._session_id = session_id

    def take(self) -> str | None:
        """Return the session's next frame except the greeting, which SockJS has already sent."""
        source = self._pulled.source
        if source is None:
            return _GONE
        frame = source()
        return source() if frame == sockjs.OPEN else frame

    def admits(self, visit: ClientRequest) -> bool:
        """Return whether a request comes from the session's own browser.

        If the session is over, anybody may learn that.
        """
        return self._pulled.source is None or self._relay.admits(self._session_id, visit)

    async def receive(self, payload: Payload) -> None:
        """Pass messages to the session."""
        if self._pulled.source is not None:
            await self._sessions.message(self._connection_id, self._session_id, payload.frame)

    def lost(self) -> None:
        """Tell the session that it has lost its connection, so that it waits for the next."""
        gone = self._pulled.gone
        self._carriers.drop(self._connection_id)
        if gone is not None:
            gone()
