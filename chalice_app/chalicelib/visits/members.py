"""Which groups the users are in whose folders a configuration serves, with a short memory."""

from collections.abc import Callable, Collection

from chalicelib.apps.directory import REMEMBERED
from chalicelib.unix_ids import users

_MOST = 1000


class Members:
    """The groups of users by name, as one Lambda environment remembers them."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._known: dict[str, tuple[float, Collection[str] | None]] = {}

    def groups(self, user: str) -> Collection[str] | None:
        """Return the names of a user's groups; None: no such user is known."""
        now = self._clock()
        known = self._known.get(user)
        if known is None or now - known[0] >= REMEMBERED:
            if len(self._known) >= _MOST:
                self._known.clear()
            found = users.find(user)
            groups = tuple(map(str, found.group_names)) if found is not None else None
            known = self._known[user] = (now, groups)
        return known[1]
