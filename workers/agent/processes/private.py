"""A worker's private folder: its socket, temporary files and home, closed to other users.

The folder itself belongs to the agent, so an app can neither rename nor replace what the agent has
put there. The app can write to the three folders inside. The agent accesses those only by
:mod:`machine.untrusted`.
"""

import os
import socket
import stat
import tempfile
from pathlib import Path

from agent.processes.command import HOME, SOCKET, TMP, USER, WorkerSpec
from agent.processes.quota import MOST_FILES
from machine import room
from machine.room import View, VisibleFolder
from machine.untrusted import NO_LIMIT, Budget, Folder, Usage

_LONGEST_SOCKET = 107
"""Longest path of a unix socket, in bytes (``sun_path`` without its terminator)."""
_SLASH_TMP = "slash-tmp"
_NAMES = "passwd"
_USERS = Path("/etc/passwd")
_PREFIX = "sheen-worker-"
_NAME = _PREFIX + "x" * 8


class PrivateFolder:
    """One private folder, at ``path``; ``owner`` is the worker's user."""

    def __init__(self, path: Path, owner: int, run: Folder) -> None:
        self.path = path
        self.owner = owner
        self._run = run

    @property
    def socket_path(self) -> Path:
        """Path of the socket on which the worker serves the app."""
        return self.path / SOCKET

    def connect(self) -> socket.socket:
        """Return a socket that is connected to the worker's.

        Raise as :meth:`machine.untrusted.Folder.connect`.
        """
        return self._run.connect(self.socket_path.name, self.owner)

    def has_socket(self) -> bool:
        """Return whether the worker's user has a socket there."""
        try:
            found = self._run.stat(self.socket_path.name)
        except OSError:
            return False
        return stat.S_ISSOCK(found.st_mode) and found.st_uid == self.owner

    def room(self, spec: WorkerSpec) -> int:
        """Return a descriptor of the worker's own mount namespace.

        Raise as :func:`machine.room.make`.
        """
        names = ((self.path / _NAMES, _USERS),)
        own = VisibleFolder(self.path, self.path, writable=True)
        return room.make(
            View(
                spec.hidden,
                (own, *spec.runtime.seen(), *spec.seen),
                self.path / _SLASH_TMP,
                spec.links,
                names,
            )
        )

    def usage(self) -> Usage:
        """Return how much the worker has in its folders."""
        with Folder.at(self.path) as folder:
            return folder.usage(MOST_FILES)

    def remove(self, budget: Budget = NO_LIMIT) -> None:
        """Remove the folder with all that the worker left in it (FACTS R7), and follow no link.

        Raise :class:`OSError` if something stays.
        """
        self._run.close()
        with Folder.at(self.path.parent) as base:
            base.remove(self.path.name, budget)


def make(spec: WorkerSpec) -> PrivateFolder:
    """Make the private folder of a worker.

    It contains the scripts that a fresh process runs, which belong to root, and the worker's own
    folders.
    """
    base = Path(tempfile.gettempdir())
    if len(os.fsencode(base / _NAME / SOCKET)) > _LONGEST_SOCKET:
        base = Path("/tmp")  # noqa: S108  (mkdtemp makes an unguessable name and a private folder)
    path = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=base))
    owner = os.geteuid() if spec.unix_id is None else spec.unix_id
    group = owner if spec.group is None else spec.group
    with Folder.at(path) as folder:
        for script in spec.runtime.scripts:
            folder.write(script.name, script.read_bytes(), 0o444)
        for name in (Path(SOCKET).parts[0], TMP, HOME):
            with folder.make(name) as made:
                if spec.unix_id is not None:
                    made.give(owner, group)
        run = folder.enter(Path(SOCKET).parts[0])
        folder.make(_SLASH_TMP, 0o1777).close()
        folder.write(_NAMES, _users(spec, path, owner, group), 0o444)
        # This comes last: from here on the app's user can enter.
        if spec.unix_id is not None:
            folder.give(os.geteuid(), group)
            folder.set_mode(0o750)
    return PrivateFolder(path, owner, run)


def _users(spec: WorkerSpec, path: Path, owner: int, group: int) -> bytes:
    """Return the machine's users, and the worker's user under the name in its variables.

    Only the worker sees this file.
    """
    users = _USERS.read_bytes()
    if f":x:{owner}:".encode() in users:
        return users
    name, home = (spec.account.name if spec.account is not None else USER), spec.home or path / HOME
    return users.rstrip(b"\n") + f"\n{name}:x:{owner}:{group}::{home}:/usr/sbin/nologin\n".encode()
