"""The messages of the local stack on the terminal."""

import sys
import time
from typing import TextIO


class Console:
    """Progress on the terminal: one line per step, on standard error."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._started = time.monotonic()

    def say(self, message: str) -> None:
        """Print one line with the seconds since the start."""
        self._stream.write(f"{time.monotonic() - self._started:6.1f} s  {message}\n")
        self._stream.flush()

    def fail(self, message: str) -> None:
        """Print why the stack cannot start or continue."""
        self._stream.write(f"\n{message}\n")
        self._stream.flush()
