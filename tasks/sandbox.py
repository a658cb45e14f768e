"""Run code of an author's packages as a user of its own.

Such code (configure scripts, makefiles, R code) may do what it likes to its own folder. It has no
capabilities, no variables of the task's (FACTS E3) and no group, and cannot read an app's files.
Everything that it leaves running is killed before its results are read.
"""

import contextlib
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from chalicelib.errors import Broken
from machine import begin, unprivileged
from machine.untrusted import Folder
from tasks.discard import discard

UNIX_IDS = range(190_000, 200_000)
"""User ids above those of an image and below those of apps."""
FILE_BYTES = 4 * 1024**3
_LONGEST_LINE = 4000
_LAST_WORDS = 10.0
"""Seconds to wait for the end of the output.

Without a user of its own, a process that is left over may hold the pipe open.
"""


class NoBuildUser(Broken):
    """Every user id for builds is in use on this machine."""


@dataclass(frozen=True, slots=True)
class Sandbox:
    """A user and its folder."""

    folder: Path
    """The user's folder; only :meth:`open` leads there safely.

    Its parent, :attr:`given`, belongs to this process.
    """
    unix_id: int | None
    """None if this process is not root, so that everything runs as its own user."""

    @property
    def owner(self) -> int:
        """The owner of everything that is made in it."""
        return os.geteuid() if self.unix_id is None else self.unix_id

    @property
    def given(self) -> Path:
        """The folder with the user's input, where the user cannot write."""
        return self.folder.parent

    def open(self, path: str = "") -> Folder:
        """Open the folder, or one that its user made in it.

        Raise :class:`machine.untrusted.Unsafe` if it is something else.
        """
        with Folder.at(self.given) as given:
            return given.enter(f"{self.folder.name}/{path}" if path else self.folder.name)

    def make(self, name: str) -> Path:
        """Make a folder in it that its user can write to."""
        with self.open() as folder, folder.make(name) as made:
            if self.unix_id is not None:
                made.give(self.unix_id, self.unix_id)
        return self.folder / name

    def variables(self) -> dict[str, str]:
        """Make a home and a folder for temporary files; return the variables that name them."""
        return unprivileged.variables(self.make("home"), self.make("tmp"))

    def run(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        said: Callable[[str], None],
        patience: float,
        memory: int | None = None,
    ) -> int:
        """Run a command with exactly this environment; return its exit code.

        Everything that the command leaves running is killed. ``said`` gets each line of its output.
        ``memory`` limits the address space of each of its processes, in bytes; None means no limit.
        Raise :class:`TimeoutError` after ``patience`` seconds.
        """
        # The variables may come from an author. They apply only to the command, not to root's own
        # programs.
        with _own_interpreter(command) as interpreter:
            process = subprocess.Popen(
                [
                    *unprivileged.limited(
                        FILE_BYTES,
                        own_user=self.unix_id is not None,
                        cpu_seconds=int(patience) + 1,
                        memory=memory,
                    ),
                    *unprivileged.as_user(self.unix_id),
                    *begin.command(self.folder, command, interpreter),
                ],
                env={},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=(interpreter,) if interpreter >= 0 else (),
            )
        assert process.stdin is not None and process.stdout is not None
        with contextlib.suppress(BrokenPipeError), process.stdin as told:
            told.write(begin.variables(environment))
        reader = threading.Thread(target=_read, args=(process.stdout, said), daemon=True)
        reader.start()
        try:
            process.wait(patience)
        except subprocess.TimeoutExpired:
            raise TimeoutError from None
        finally:
            self._end(process)
            reader.join(_LAST_WORDS)
        return process.returncode

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        if self.unix_id is not None:
            # Processes that left the group and the session still belong to this user.
            subprocess.run(
                unprivileged.kill_all_of(self.unix_id),
                env={},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                check=False,
            )
        process.wait()


@contextlib.contextmanager
def _own_interpreter(command: Sequence[str]) -> Iterator[int]:
    """Yield a descriptor of this process's Python if the command runs it, else -1.

    The user may have no access to the folders of this Python.
    """
    if command[0] != sys.executable:
        yield -1
        return
    descriptor = os.open(sys.executable, os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _read(output: IO[bytes], said: Callable[[str], None]) -> None:
    with output:
        while line := output.readline(_LONGEST_LINE):
            said(line.decode(errors="replace").rstrip("\r\n"))


@contextlib.contextmanager
def sandbox() -> Iterator[Sandbox]:
    """Yield a sandbox with an empty folder on this machine's own disk; remove both afterwards.

    Raise :class:`NoBuildUser`.
    """
    with contextlib.ExitStack() as stack:
        unix_id = stack.enter_context(_user()) if os.geteuid() == 0 else None
        top = Path(tempfile.mkdtemp(prefix="sheen-package-"))
        stack.callback(discard, top)
        with Folder.at(top) as given, given.make("box") as folder:
            if unix_id is not None:
                given.give(os.geteuid(), unix_id)
                given.set_mode(0o710)
                folder.give(unix_id, unix_id)
        yield Sandbox(top / "box", unix_id)


@contextlib.contextmanager
def _user() -> Iterator[int]:
    """Yield a user id that no other build on this machine has.

    The kernel releases it, however this process ends.
    """
    first = secrets.randbelow(len(UNIX_IDS))
    for number in range(len(UNIX_IDS)):
        unix_id = UNIX_IDS[(first + number) % len(UNIX_IDS)]
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as claim:
            try:
                claim.bind(f"\0sheen-build-{unix_id}")
            except OSError:
                continue
            yield unix_id
            return
    raise NoBuildUser(
        f"all of {len(UNIX_IDS):,} users for builds are taken on this machine; wait until "
        "builds have ended"
    )
