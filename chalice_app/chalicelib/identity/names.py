"""What users and groups may be called, and what roles there are. Pure."""

import re
from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple, Self

from chalicelib.identity.errors import BadUser

LONGEST = 128
"""Characters of a name."""
MOST_GROUPS = 1000
_NAME = re.compile(rf"[^\x00-\x20\x7f-\xa0:$,\ud800-\udfff]{{1,{LONGEST}}}")
_GROUP = re.compile(rf"[^\x00-\x1f\x7f-\x9f:,\ud800-\udfff]{{1,{LONGEST}}}")
_SPECIAL = re.compile(r"\*+")
"""In ``required_user``, these are not names."""


class Role(StrEnum):
    """What a user may do beside visiting apps; each may do what those before it may."""

    VIEWER = "viewer"
    PUBLISHER = "publisher"
    ADMIN = "admin"


class UserId(NamedTuple):
    """A user: the provider that knows them, and the provider's own name of them.

    Two providers may have a ``kim`` each, and these are two users.
    """

    provider: str
    subject: str

    def __str__(self) -> str:
        return f"{self.provider}#{self.subject}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read an id as text; a provider's name has no ``#``."""
        return cls(*text.split("#", 1))


FLAT = "flat"
"""The provider whose users the deployment keeps itself."""


def user_name(text: str) -> str:
    """Return the name if a user may have it; raise :class:`BadUser`.

    >>> user_name("sarah.o@example.org")
    'sarah.o@example.org'
    """
    if not _NAME.fullmatch(text) or _SPECIAL.fullmatch(text):
        raise BadUser(
            f"user {text[:LONGEST]!r}: a name has 1 to {LONGEST} characters, no blank, none of "
            '":", "$" and ",", and is not only "*", as in kim'
        )
    return text


def groups_of(names: Iterable[str]) -> tuple[str, ...]:
    """Return groups without doubles, in their order; raise :class:`BadUser`.

    >>> groups_of(["sales", "R users", "sales"])
    ('sales', 'R users')
    """
    found = tuple(dict.fromkeys(names))
    for name in found:
        if not _GROUP.fullmatch(name) or name != name.strip():
            raise BadUser(
                f"group {name[:LONGEST]!r}: a name has 1 to {LONGEST} characters, no blank at its "
                'ends, and neither ":" nor ",", as in sales'
            )
    if len(found) > MOST_GROUPS:
        raise BadUser(f"{len(found)} groups; a user has at most {MOST_GROUPS}")
    return found


def role_of(text: str) -> Role:
    """Return the role with this name; raise :class:`BadUser`."""
    try:
        return Role(text)
    except ValueError:
        raise BadUser(f"role {text[:LONGEST]!r}: it is one of {', '.join(Role)}") from None
