"""Checks that must succeed before the stack starts anything."""

import fcntl
import os
import shutil
import socket
from pathlib import Path

from infra.emulator.errors import CannotStart
from infra.local.settings import LocalSettings

LONGEST_SOCKET_PATH = 107
"""Longest path of a unix socket's address on Linux, in bytes."""


class DataLock:
    """A lock on a data folder, so that no second stack uses it.

    The kernel releases it when the process ends.
    """

    def __init__(self, data: Path) -> None:
        self._path = data / "lock"
        self._file = self._path.open("a+")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._file.seek(0)
            owner = self._file.read().strip() or "unknown"
            self._file.close()
            raise CannotStart(
                f"another local stack (process {owner}) uses {data}: stop it, or set "
                "SHEEN_DATA to another folder"
            ) from None
        self._file.truncate(0)
        self._file.write(str(os.getpid()))
        self._file.flush()

    def release(self) -> None:
        """Release the folder for another stack."""
        self._file.close()


def check_port(port: int) -> None:
    """Raise :class:`CannotStart` if something already listens on ``port``."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except PermissionError:
            raise CannotStart(
                f"no right to listen on port {port}: set SHEEN_PORT to a port above 1023"
            ) from None
        except OSError:
            raise CannotStart(
                f"port {port} is in use: stop what listens there, or set SHEEN_PORT to another port"
            ) from None


def make_folders(settings: LocalSettings) -> None:
    """Make the data folder and its subfolders; raise :class:`CannotStart` if that fails."""
    try:
        settings.data.mkdir(parents=True, exist_ok=True)
        settings.efs.mkdir(parents=True, exist_ok=True)
        for folder in (settings.data, settings.efs):
            # Apps' own users may pass through to their version's files, and reach nothing else.
            folder.chmod(0o711)
        for folder in (
            settings.run,
            settings.logs,
            *(settings.data / name for name in ("build", "s3", "dynamodb")),
        ):
            folder.mkdir(exist_ok=True)
            folder.chmod(0o700)
    except OSError as error:
        raise CannotStart(
            f"cannot write to {settings.data} ({error.strerror}): set SHEEN_DATA to a "
            "folder of yours"
        ) from None
    longest = settings.run / "control.sock"
    if len(os.fsencode(longest)) > LONGEST_SOCKET_PATH:
        raise CannotStart(
            f"{settings.data} is too long a path for unix sockets: set SHEEN_DATA to a shorter one"
        )


def check_tools() -> None:
    """Raise :class:`CannotStart` if a program is missing that starts all processes."""
    if shutil.which("setpriv") is None:
        raise CannotStart("setpriv is missing: install the package util-linux")
