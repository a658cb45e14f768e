"""Drawing numbers of users and groups.

One conditional write reserves a number, so that concurrent callers never get the same.
"""

import secrets
from collections.abc import Iterator

from chalicelib.apps.model import App
from chalicelib.errors import Broken
from chalicelib.syncs.model import Sync
from chalicelib.unix_ids.model import UnixId

UNIX_IDS = range(200_000, 2**31)
"""Well above every user of an image, and within the range of file systems."""
USERS = range(100_000, 200_000)
"""The numbers of users that configurations name."""
_ATTEMPTS = 100
_TAKEN_OVER = 0
"""The number of the row that records that older deployments' numbers have rows."""


class NoUnixId(Broken):
    """No free number could be found."""


def draw(owner: str, now: float) -> int:
    """Return a number that nobody else has or gets; ``owner`` says in words what it is for.

    Raise :class:`NoUnixId` if no free number is found.
    """
    _take_over(now)
    return _draw(UNIX_IDS, owner, now)


def draw_for_user(name: str, now: float) -> int:
    """Return a number for a user that a configuration names; raise :class:`NoUnixId`."""
    return _draw(USERS, f"user {name}", now)


def _draw(numbers: range, owner: str, now: float) -> int:
    for _ in range(_ATTEMPTS):
        number = numbers.start + secrets.randbelow(len(numbers))
        if _reserve(number, owner, now):
            return number
    raise NoUnixId(
        f"{_ATTEMPTS} numbers were drawn for {owner}, and all are taken; look into the "
        "table of unix ids"
    )


def give_back(number: int) -> None:
    """Free a number that was never used."""
    UnixId(number).delete()


def _take_over(now: float) -> None:
    """Add rows for numbers that a deployment drew before this table existed.

    If this is interrupted, the next draw does it again.
    """
    try:
        UnixId.get(_TAKEN_OVER, consistent_read=True)
    except UnixId.DoesNotExist:
        for number, owner in _drawn():
            _reserve(number, owner, now)
        _reserve(_TAKEN_OVER, "all numbers drawn before have rows", now)


def _drawn() -> Iterator[tuple[int, str]]:
    for app in App.scan(consistent_read=True):
        yield int(app.unix_id), f"app {app.name}"
    for sync in Sync.scan(consistent_read=True):
        for number in (sync.read_gid, sync.write_gid):
            yield int(number), f"sync {sync.name}"


def _reserve(number: int, owner: str, now: float) -> bool:
    row = UnixId(number, owner=owner, drawn_at=now)
    return row.save_if(UnixId.unix_id.does_not_exist())
