"""``sheen user …``: who may sign in, with which role and groups.

Passwords are asked for, or read from standard input, and hashed here: a deployment never sees one
before its user types it. The command writes the tables with its own AWS credentials, which are
above all roles.
"""

import argparse
import secrets
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from getpass import getpass
from pathlib import Path

from chalicelib.configuration.deployment import Settings
from chalicelib.identity import logins, names, password_file, passwords, users
from chalicelib.identity.errors import BadUser, UserExists
from chalicelib.identity.model import User
from chalicelib.identity.names import Role
from sheen.console import say, table
from sheen.functions import call

_SALT = 32


def define(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Define the command's words."""
    user = commands.add_parser("user", help="say who may sign in")
    actions = user.add_subparsers(dest="action", required=True, metavar="ACTION")
    add = actions.add_parser("add", help="add a user; asks for the password, or reads it")
    add.add_argument("name", metavar="NAME")
    add.add_argument("--role", default=Role.VIEWER.value, metavar="ROLE", help=", ".join(Role))
    _groups(add)
    load = actions.add_parser("import", help="add the users of a file of sspasswd's lines")
    load.add_argument("file", type=Path, metavar="FILE")
    load.add_argument(
        "--groups", action="append", default=[], metavar="NAME=GROUP,…", help="of one user"
    )
    load.add_argument(
        "--replace", action="store_true", help="give users who are there the file's passwords"
    )
    actions.add_parser("list", help="list the users")
    password = actions.add_parser("password", help="give a user a new password")
    role = actions.add_parser("role", help="give a user a role")
    groups = actions.add_parser("groups", help="put a user into these groups, and no others")
    for one in (password, role, groups):
        one.add_argument("name", metavar="NAME")
    role.add_argument("role", metavar="ROLE", help=", ".join(Role))
    groups.add_argument("groups", nargs="*", metavar="GROUP")
    for name, about in (
        ("lock", "lock a user out: their sessions end, and they cannot sign in"),
        ("unlock", "let a user sign in again"),
        ("logins", "list where a user is signed in"),
        ("sign-out", "sign a user out in all browsers"),
        ("remove", "remove a user"),
    ):
        actions.add_parser(name, help=about).add_argument("name", metavar="NAME")


def _groups(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--group", action="append", default=[], metavar="GROUP", dest="groups")


def act(settings: Settings, words: argparse.Namespace) -> int:
    """Do what the words say; return the exit status."""
    match words.action:
        case "add":
            groups, role = names.groups_of(words.groups), names.role_of(words.role)
            if users.find(names.user_name(words.name)) is not None:
                raise UserExists(f"there is a user {words.name!r} already")
            users.add(words.name, role, groups, new_password(), time.time())
            say(f"{words.name} can sign in")
        case "import":
            return _import(settings, words)
        case "list":
            _list()
        case "password":
            users.get(words.name)
            end(settings, words.name, lambda name: users.set_password(name, new_password()))
        case "role":
            role = names.role_of(words.role)
            end(settings, words.name, lambda name: users.set_role(name, role))
        case "groups":
            end(settings, words.name, lambda name: users.set_groups(name, words.groups))
        case "lock":
            end(settings, words.name, lambda name: users.set_locked(name, True))
        case "unlock":
            end(settings, words.name, lambda name: users.set_locked(name, False))
        case "logins":
            _show_logins(words.name)
        case "sign-out":
            end(settings, words.name, lambda name: logins.end_all_of(users.get(name).id))
        case "remove":
            end(settings, words.name, users.remove)
    return 0


def end(settings: Settings, name: str, change: Callable[[str], list[str]]) -> None:
    """Change a user; end the sessions of the logins that the change has ended."""
    ended = change(name)
    if ended:
        call(settings, "logins_end", {"logins": ended})
    say(f"{name}: done; {len(ended)} logins have ended")


def new_password() -> str:
    """Return the hash of a password that is typed twice, or read from standard input."""
    if sys.stdin.isatty():
        password = getpass("Password: ")
        if getpass("Once more: ") != password:
            raise BadUser("the two passwords differ; nothing was changed")
    else:
        password = sys.stdin.readline(passwords.LONGEST + 2).removesuffix("\n").removesuffix("\r")
    return str(passwords.made(passwords.checked(password), secrets.token_bytes(_SALT)))


def _import(settings: Settings, words: argparse.Namespace) -> int:
    """Add the users of a file; return 1 if one of its lines was refused."""
    found = password_file.read(words.file.read_text("utf-8", "replace"))
    wanted = groups_by_user(words.groups, {user.name for user in found.users})
    for refused in found.refused:
        say(f"{words.file}:{refused.line}: {refused.why}")
    added = replaced = kept = 0
    for user in found.users:
        groups = wanted.get(user.name, user.groups)
        try:
            users.add(user.name, user.role, groups, str(user.hash), time.time())
            added += 1
        except UserExists:
            if words.replace:
                ended = users.set_password(user.name, str(user.hash))
                if ended:
                    call(settings, "logins_end", {"logins": ended})
                replaced += 1
            else:
                kept += 1
    more = f", {replaced} got new passwords" if words.replace else f", {kept} were there already"
    say(f"{added} users were added{more}, {len(found.refused)} lines were refused")
    return 1 if found.refused else 0


def groups_by_user(words: Iterable[str], known: Iterable[str]) -> Mapping[str, tuple[str, ...]]:
    """Read ``NAME=GROUP,…`` words; raise :class:`BadUser` for a name that the file has not. Pure.

    >>> groups_by_user(["kim=sales,it"], ["kim"])
    {'kim': ('sales', 'it')}
    """
    result = {}
    for word in words:
        name, equals, said = word.rpartition("=")
        if not equals or name not in known:
            raise BadUser(f"--groups {word!r}: it is NAME=GROUP,… with a name that the file has")
        result[name] = names.groups_of(filter(None, said.split(",")))
    return result


def _list() -> None:
    rows = users.everyone()
    if not rows:
        say("no users yet; `sheen user add NAME` adds one")
        return
    table(("USER", "ROLE", "GROUPS", "STATE"), [_row(user) for user in rows])


def _row(user: User) -> tuple[str, str, str, str]:
    return user.name, user.role, ", ".join(user.groups) or "-", "locked" if user.locked else "-"


def _show_logins(name: str) -> None:
    now = time.time()
    ids = logins.of_user(users.get(name).id)
    rows = [row for row in (logins.find(each, now) for each in ids) if row is not None]
    if not rows:
        say(f"{name} is signed in nowhere")
        return
    table(
        ("LOGIN", "SIGNED IN", "LAST USED", "ENDS"),
        [
            (
                row.id[:8],
                *(_time(float(at)) for at in (row.made_at, row.used_at, row.ends_at)),
            )
            for row in rows
        ],
    )


def _time(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(at))
