"""Drawing numbers of users and groups. One write decides who has a number, so that no two who draw at once get the same."""

import secrets
from collections.abc import Iterator

from pynamodb.exceptions import PutError

from chalicelib.apps.model import App
from chalicelib.aws.tables import refused
from chalicelib.errors import SheenError
from chalicelib.syncs.model import Sync
from chalicelib.unix_ids.model import UnixId

UNIX_IDS = range(200_000, 2**31)
"""Well above every user of an image, and within what a file system can store."""
_ATTEMPTS = 100
_TAKEN_OVER = 0
"""The number of the row that says that older deployments' numbers have rows."""


class NoUnixId(SheenError):
    """No free number was found."""


def draw(owner: str, now: float) -> int:
    """Return a number that nobody else has or gets; ``owner`` says for what, in words. Raise :class:`NoUnixId`."""
    _take_over(now)
    for _ in range(_ATTEMPTS):
        number = UNIX_IDS.start + secrets.randbelow(len(UNIX_IDS))
        if _reserve(number, owner, now):
            return number
    raise NoUnixId(f"{_ATTEMPTS} numbers were drawn for {owner}, and all are taken; look into the table of unix ids")


def give_back(number: int) -> None:
    """Free a number that was never used."""
    UnixId(number).delete()


def _take_over(now: float) -> None:
    """Give rows to the numbers that a deployment drew before there was this table. What breaks off is done again by the next draw."""
    try:
        UnixId.get(_TAKEN_OVER, consistent_read=True)
    except UnixId.DoesNotExist:
        for number, owner in _drawn():
            _reserve(number, owner, now)
        _reserve(_TAKEN_OVER, "all numbers drawn before have rows", now)


def _drawn() -> Iterator[tuple[int, str]]:
    for app in App.scan(consistent_read=True):
        yield int(app.unix_id), f"app {app.location}"
    for sync in Sync.scan(consistent_read=True):
        for number in (sync.read_gid, sync.write_gid):
            yield int(number), f"sync {sync.name}"


def _reserve(number: int, owner: str, now: float) -> bool:
    try:
        UnixId(number, owner=owner, drawn_at=now).save(condition=UnixId.unix_id.does_not_exist())
    except PutError as error:
        if refused(error):
            return False
        raise
    return True
