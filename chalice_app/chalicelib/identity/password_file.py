"""Files of users: lines of ``sspasswd``, with a role and groups behind them if wanted. Pure.

::

    kim:c2NyeXB0AA8…                          as sspasswd writes it
    tom:c2NyeXB0AA8…:publisher:sales,R users  with a role and groups
"""

from collections.abc import Iterator
from typing import NamedTuple

from chalicelib.errors import Malformed
from chalicelib.identity import names
from chalicelib.identity.errors import BadUser
from chalicelib.identity.names import Role
from chalicelib.identity.passwords import PasswordHash

LARGEST = 4 * 1024 * 1024
"""Characters of a file that are read."""


class FileUser(NamedTuple):
    """One user of a file."""

    name: str
    hash: PasswordHash
    role: Role = Role.VIEWER
    groups: tuple[str, ...] = ()


class Refused(NamedTuple):
    """One line that cannot be read, and why."""

    line: int
    why: str


class FileOfUsers(NamedTuple):
    """What was read of a file."""

    users: tuple[FileUser, ...]
    refused: tuple[Refused, ...]


def read(text: str) -> FileOfUsers:
    """Read a file of users; blank lines and comments (``#``) say nothing.

    If a name stands there twice, nobody can know which line counts, so all its lines are refused.
    """
    users: list[tuple[int, FileUser]] = []
    refused: list[Refused] = []
    for number, line in _lines(text):
        try:
            users.append((number, _user(line)))
        except Malformed as error:
            refused.append(Refused(number, str(error)))
    by_name: dict[str, list[int]] = {}
    for number, user in users:
        by_name.setdefault(user.name, []).append(number)
    for number, user in users:
        others = [str(other) for other in by_name[user.name][:6] if other != number]
        if others:
            why = f"user {user.name!r} is also on line {', '.join(others)}; keep one"
            refused.append(Refused(number, why))
    return FileOfUsers(
        tuple(user for _, user in users if len(by_name[user.name]) == 1),
        tuple(sorted(refused)),
    )


def _lines(text: str) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(text[:LARGEST].removeprefix("\ufeff").split("\n"), 1):
        kept = line.removesuffix("\r")
        if kept.strip() and not kept.startswith("#"):
            yield number, kept


def _user(line: str) -> FileUser:
    name, *fields = line.split(":")
    names.user_name(name)
    if not 1 <= len(fields) <= 3:
        raise BadUser(f"user {name!r}: a line is NAME:HASH, or NAME:HASH:ROLE:GROUP,GROUP")
    found = PasswordHash.parse(fields[0])
    role = names.role_of(fields[1]) if len(fields) > 1 and fields[1] else Role.VIEWER
    said = fields[2].split(",") if len(fields) > 2 and fields[2] else []
    return FileUser(name, found, role, names.groups_of(said))
