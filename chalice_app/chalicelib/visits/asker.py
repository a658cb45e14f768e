"""Who asks: the login that a request's cookie names, as its row says."""

from collections.abc import Callable, Collection, Iterable, Mapping

from chalicelib.apps.model import App
from chalicelib.aws.tables import Table
from chalicelib.configuration.app_settings import AppSettings
from chalicelib.identity import login_cookie, logins
from chalicelib.identity.admission import SignedIn
from chalicelib.identity.model import Login
from chalicelib.visits import admission
from chalicelib.visits.request import VisitorRequest

REMEMBERED = 2.0
"""Seconds for which a login is used without being read again."""
_MOST = 5000


class Logins:
    """The logins that one Lambda environment remembers."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._known: dict[str, tuple[float, Login | None]] = {}

    def asker(self, request: VisitorRequest) -> "RequestAsker":
        """Return who sends a request; their login is read with what else is read for it."""
        value = login_cookie.login_in(request.cookies, secure=request.secure)
        return RequestAsker(login_cookie.login_id(value) if value is not None else None, self)

    def now(self) -> float:
        """Return the time."""
        return self._clock()

    def known(self, login_id: str) -> tuple[bool, Login | None]:
        """Return whether a login's row is remembered, and the row."""
        read_at, row = self._known.get(login_id, (0.0, None))
        return self._clock() - read_at < REMEMBERED, row

    def learn(self, login_id: str, row: Login | None) -> None:
        """Remember a login's row, or that there is none."""
        if len(self._known) > _MOST:
            self._known.clear()
        self._known[login_id] = self._clock(), row

    def forget(self, login_ids: Iterable[str]) -> None:
        """Forget logins that have ended."""
        for login_id in login_ids:
            self._known.pop(login_id, None)


class RequestAsker:
    """Who sends one request."""

    def __init__(self, login_id: str | None, known: Logins) -> None:
        self._id = login_id
        self._known = known
        self._read, self._row = known.known(login_id) if login_id is not None else (True, None)

    def wanted(self, now: float) -> Mapping[type[Table], Collection[tuple[str, ...]]]:
        """Return the key of the login's row, unless it is known."""
        return {} if self._read or self._id is None else {Login: [(self._id,)]}

    def take(self, rows: Iterable[Table], now: float) -> None:
        """Take the login's row, if it is among those that were read."""
        if self._read or self._id is None:
            return
        logins_read = (row for row in rows if isinstance(row, Login) and row.id == self._id)
        self._row = next(logins_read, None)
        self._read = True
        self._known.learn(self._id, self._row)

    @property
    def user(self) -> SignedIn | None:
        """Who is signed in; None if nobody is, or if the login is over."""
        if self._id is None or self._row is None or self._row.life.is_over(self._known.now()):
            return None
        return SignedIn(self._id, str(self._row.user), self._row.visitor)

    def may_know(self, app: App, settings: AppSettings | None) -> bool:
        """Return whether the asker may know of an app."""
        user = self.user
        return admission.is_shown(app, settings, None if user is None else user.visitor)

    def use(self) -> None:
        """Note that the login is used, if that is due."""
        if self._row is not None and self.user is not None:
            logins.use(self._row, self._known.now())
