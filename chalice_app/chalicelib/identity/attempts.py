"""How often somebody may try to sign in.

An attempt is counted before its password is checked, so that many at once do not slip through. It
is taken back if the password was right: a class that signs in from one address is no attack.
"""

import hashlib
from collections.abc import Iterator
from typing import NamedTuple

from chalicelib.identity.model import Attempts

SLOT = 900
"""Seconds of a time slot; counts begin anew with the next."""
MOST_OF_BOTH = 10
"""Wrong attempts in a slot with one name from one network."""
MOST_OF_NAME = 100
"""With one name, from anywhere: guessing from many networks ends here.

Anybody can lock a user out for the rest of a slot so, but needs ten networks for it.
"""
MOST_OF_NETWORK = 300
"""From one network, with any names."""


class Counted(NamedTuple):
    """An attempt that was counted, and where."""

    ids: tuple[str, ...]

    def take_back(self) -> None:
        """Take the attempt back: the password was right."""
        for each in self.ids:
            Attempts(each).update(actions=[Attempts.tries.add(-1)])


class TooMany(NamedTuple):
    """Too many attempts: how many seconds are left of the slot."""

    seconds: int


def count(name: str, network: str, now: float) -> Counted | TooMany:
    """Count an attempt, or return that there were too many."""
    counted: list[str] = []
    for each, most in _limits(name, network, now):
        allowed = Attempts.id.does_not_exist() | (Attempts.tries < most)
        actions = [Attempts.tries.add(1), Attempts.expires_at.set(int(now) + 2 * SLOT)]
        if not Attempts(each).update_if(allowed, actions):
            Counted(tuple(counted)).take_back()
            return TooMany(SLOT - int(now) % SLOT)
        counted.append(each)
    return Counted(tuple(counted))


def _limits(name: str, network: str, now: float) -> Iterator[tuple[str, int]]:
    slot = int(now) // SLOT
    for parts, most in (
        (("both", name, network), MOST_OF_BOTH),
        (("network", network), MOST_OF_NETWORK),
        (("name", name), MOST_OF_NAME),
    ):
        text = "\x1f".join((*parts, str(slot))).encode("utf-8", "replace")
        yield hashlib.sha256(text).hexdigest(), most
