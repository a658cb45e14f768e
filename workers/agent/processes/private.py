"""A worker's private folder: its socket, its temporary files and its home, which nobody else can open.

The folder itself is the agent's: an app can neither rename nor replace what the agent has put there. What the app can write to are the
three folders in it; the agent touches those by :mod:`machine.untrusted` only.
"""

import os
import socket
import stat
import tempfile
from collections.abc import Sequence
from pathlib import Path

from agent.processes.command import HOME, OF_PYTHON, OF_R, SOCKET, TMP, USER, WorkerSpec
from agent.processes.quota import MOST_FILES
from machine import room
from machine.room import Seen, View
from machine.untrusted import NO_LIMIT, Budget, Folder, Usage

_LONGEST_SOCKET = 107
"""Bytes of a unix socket's path (``sun_path`` less its end)."""
_SLASH_TMP = "slash-tmp"
_NAMES = "passwd"
_USERS = Path("/etc/passwd")
_PREFIX = "sheen-worker-"
_NAME = _PREFIX + "x" * 8


class Private:
    """One such folder, at ``path``; ``owner`` is the worker's user."""

    def __init__(self, path: Path, owner: int, run: Folder) -> None:
        self.path = path
        self.owner = owner
        self._run = run

    @property
    def socket_path(self) -> Path:
        """Where the worker serves the app."""
        return self.path / SOCKET

    def connect(self) -> socket.socket:
        """Return a socket that is connected to the worker's; as :meth:`machine.untrusted.Folder.connect`."""
        return self._run.connect(self.socket_path.name, self.owner)

    def has_socket(self) -> bool:
        """Whether the worker's user has a socket there."""
        try:
            found = self._run.stat(self.socket_path.name)
        except OSError:
            return False
        return stat.S_ISSOCK(found.st_mode) and found.st_uid == self.owner

    def room(self, spec: WorkerSpec) -> int:
        """Return a descriptor of the worker's own mount namespace; as :func:`machine.room.make`."""
        names = ((self.path / _NAMES, _USERS),)
        own = Seen(self.path, self.path, writable=True)
        return room.make(View(spec.hidden, (own, *spec.seen), self.path / _SLASH_TMP, spec.links, names))

    def usage(self) -> Usage:
        """Return how much the worker has in its folders."""
        with Folder.at(self.path) as folder:
            return folder.usage(MOST_FILES)

    def remove(self, budget: Budget = NO_LIMIT) -> None:
        """Remove the folder with all that the worker left in it (FACTS R7). Follow no link. Raise :class:`OSError` when some stays."""
        self._run.close()
        with Folder.at(self.path.parent) as base:
            base.remove(self.path.name, budget)


def make(spec: WorkerSpec) -> Private:
    """Make the folder, with the scripts that a fresh process runs, which are root's own, and with the worker's folders."""
    base = Path(tempfile.gettempdir())
    if len(os.fsencode(base / _NAME / SOCKET)) > _LONGEST_SOCKET:
        base = Path("/tmp")  # noqa: S108  (mkdtemp makes the name unguessable and the folder private)
    path = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=base))
    owner = os.geteuid() if spec.unix_id is None else spec.unix_id
    with Folder.at(path) as folder:
        for script in _scripts(spec):
            folder.write(script.name, script.read_bytes(), 0o444)
        for name in (Path(SOCKET).parts[0], TMP, HOME):
            with folder.make(name) as made:
                if spec.unix_id is not None:
                    made.give(owner, owner)
        run = folder.enter(Path(SOCKET).parts[0])
        folder.make(_SLASH_TMP, 0o1777).close()
        folder.write(_NAMES, _users(path, owner), 0o444)
        if spec.unix_id is not None:  # last: from here on the app's user can come in
            folder.give(os.geteuid(), owner)
            folder.set_mode(0o750)
    return Private(path, owner, run)


def _users(path: Path, owner: int) -> bytes:
    """Return the machine's users, and the worker's by the name that its variables have, for its own eyes."""
    users = _USERS.read_bytes()
    if f":x:{owner}:".encode() in users:
        return users
    return users.rstrip(b"\n") + f"\n{USER}:x:{owner}:{owner}::{path / HOME}:/usr/sbin/nologin\n".encode()


def _scripts(spec: WorkerSpec) -> Sequence[Path]:
    return OF_R if spec.entrypoint is None else OF_PYTHON
