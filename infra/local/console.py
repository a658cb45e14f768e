"""What the local stack says on the terminal."""

import sys
import time
from typing import TextIO


class Console:
    """Progress for the person in front of the terminal: one line per step, on standard error."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._started = time.monotonic()

    def say(self, message: str) -> None:
        """Write one line with the seconds since the start."""
        self._stream.write(f"{time.monotonic() - self._started:6.1f} s  {message}\n")
        self._stream.flush()

    def fail(self, message: str) -> None:
        """Write why the stack cannot start or go on."""
        self._stream.write(f"\n{message}\n")
        self._stream.flush()
