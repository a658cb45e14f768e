"""The users that apps in folders run as."""

from chalicelib.configuration import run_as
from chalicelib.errors import Malformed
from chalicelib.unix_ids import store
from chalicelib.unix_ids.model import UnixUser


class BadRunAs(Malformed):
    """Apps may not run as this user."""


def find(name: str) -> UnixUser | None:
    """Read the user with a name, consistently; None if there is none yet."""
    try:
        return UnixUser.get(name, consistent_read=True)
    except UnixUser.DoesNotExist:
        return None


def of(name: str, now: float) -> UnixUser:
    """Return the user with a name; a new one gets its number once and for all.

    If several callers ask at once, all get the same user. Raise :class:`BadRunAs` or
    :class:`chalicelib.unix_ids.store.NoUnixId`.
    """
    if why := run_as.why_refused(name):
        raise BadRunAs(f"run_as {name[: run_as.LONGEST]}: {why}")
    found = find(name)
    if found is not None:
        return found
    number = store.draw_for_user(name, now)
    drawn = UnixUser(name, unix_id=number, group=number, more_groups=[], group_names=[])
    if drawn.save_if(UnixUser.name.does_not_exist()):
        return drawn
    store.give_back(number)
    return UnixUser.get(name, consistent_read=True)
