"""How much space an app may use: the temporary files of one process, and the app's data.

No I/O; the use is measured elsewhere.
"""

from dataclasses import dataclass

from machine.untrusted import Usage

GB = 1024**3
TEMPORARY = 8 * GB
"""Bytes in a worker's own folders.

Fargate's disk has 20 GB for the whole task, including its image.
"""
COPY = 8 * GB
"""Bytes in the instance's copy of the app's files; at most 2 GB of a version are copied."""
DATA = 20 * GB
"""Bytes in an app's data folder."""
MOST_FILES = 200_000
"""Files and folders in either; more are not counted."""
NEAR = 0.8
"""Share of a quota from which on there is a warning."""
EVERY = 60.0
"""Seconds between two checks of a worker's folders."""
DATA_EVERY = 3600.0
"""Seconds between two checks of the data, which are on a file system that is paid for by use."""


@dataclass(slots=True)
class Quota:
    """One quota, and how much of it is used."""

    what: str
    """What the quota is for, as the start of a sentence."""
    bytes: int
    consequence: str
    """What happens when it is exceeded, as a sentence."""
    _told: int = 0

    def judge(self, used: Usage) -> str | None:
        """Return a message when the use reaches a new step, or None.

        The steps are a use that is near the limit and one that exceeds it.
        """
        step = 2 if self.is_exceeded(used) else 1 if self._share(used) >= NEAR else 0
        risen, self._told = step > self._told, step
        if not risen:
            return None
        size = (
            f"{used.bytes / GB:.1f} GB in {used.entries:,} files"
            if used.complete
            else f"more than {MOST_FILES:,} files"
        )
        allowed = (
            f"{self.what} have {size}; {self.bytes / GB:g} GB and {MOST_FILES:,} files are allowed."
        )
        return (
            f"{allowed} {self.consequence}"
            if step == 2
            else f"{allowed} Remove what is not needed any more."
        )

    def is_exceeded(self, used: Usage) -> bool:
        """Return whether the use exceeds the quota."""
        return self._share(used) > 1

    def _share(self, used: Usage) -> float:
        return 2.0 if not used.complete else max(used.bytes / self.bytes, used.entries / MOST_FILES)
