"""A build log while it grows: the steps of a build and the output of ``R CMD INSTALL``.

It is kept in S3 beside the bundle's outcome, and written there while it grows.
:mod:`chalicelib.publishing.build_log` has its format.
"""

import threading
from collections import defaultdict, deque
from collections.abc import Callable
from types import TracebackType
from typing import Self

from chalicelib.publishing.build_log import NOTE, line_of, printable

EVERY = 3.0
"""Seconds between two writes."""
LARGEST = 16 * 1024**2
"""Largest size in bytes; further lines are counted and left out."""
TAIL = 25
"""Lines of a package's log that the message about its failure includes."""


class BuildLog:
    """Lines in order of arrival, each with its package in front; safe for several threads."""

    def __init__(
        self,
        write: Callable[[bytes], None],
        failed: Callable[[Exception], None],
        every: float = EVERY,
    ) -> None:
        """Create an empty log.

        ``write`` replaces the stored log. ``failed`` gets the error that it raises; the build
        continues without the log.
        """
        self._write = write
        self._failed = failed
        self._every = every
        self._lock = threading.Lock()
        self._text = bytearray()
        self._left_out = 0
        self._tails: defaultdict[str, deque[str]] = defaultdict(lambda: deque(maxlen=TAIL))
        self._over = threading.Event()
        self._writer = threading.Thread(target=self._keep_writing, daemon=True)
        self._written = 0

    def __enter__(self) -> Self:
        self._writer.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._over.set()
        self._writer.join()
        with self._lock:
            if self._left_out:
                self._text += (
                    f"… {self._left_out:,} lines were left out: the log is full\n".encode()
                )
        self._write_it()

    def say(self, line: str, package: str = "") -> None:
        """Add a line, without characters that could control the reader's terminal."""
        data = f"{line_of(line, package)}\n".encode()
        with self._lock:
            if package:
                self._tails[package].append(printable(line))
            if len(self._text) + len(data) > LARGEST:
                self._left_out += 1
            else:
                self._text += data

    def note(self, line: str) -> None:
        """Add a line that the author should see even after success.

        ``sheen publish`` shows it at the end.
        """
        self.say(f"{NOTE}{line}")

    def tail(self, package: str) -> list[str]:
        """Return the last lines of a package."""
        with self._lock:
            return list(self._tails[package])

    def last(self, lines: int) -> list[str]:
        """Return the last lines of the whole log."""
        with self._lock:
            return self._text.decode(errors="replace").splitlines()[-lines:]

    def _keep_writing(self) -> None:
        while not self._over.wait(self._every):
            self._write_it()

    def _write_it(self) -> None:
        with self._lock:
            if len(self._text) == self._written:
                return
            text = bytes(self._text)
        try:
            self._write(text)
        except Exception as error:
            self._failed(error)
        else:
            self._written = len(text)
