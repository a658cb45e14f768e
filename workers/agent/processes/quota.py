"""How much room an app may take: for the temporary files of one process, and for its data. Pure, but for what is measured elsewhere."""

from dataclasses import dataclass

from machine.untrusted import Usage

GB = 1024**3
TEMPORARY = 8 * GB
"""Bytes in a worker's own folders; Fargate's disk has 20 GB for all of a task, with its image."""
COPY = 8 * GB
"""Bytes in the instance's copy of the app's files, of which a version has at most 2 GB."""
DATA = 20 * GB
"""Bytes in an app's data folder."""
MOST_FILES = 200_000
"""Files and folders of either; more are not counted."""
NEAR = 0.8
"""Share from which on it is told that the end is near."""
EVERY = 60.0
"""Seconds between two looks at a worker's folders."""
DATA_EVERY = 3600.0
"""Seconds between two looks at the data, which are on a file system that is paid for by use."""


@dataclass(slots=True)
class Quota:
    """One quota, and how far it is used up."""

    what: str
    """What it is for, as a sentence begins."""
    bytes: int
    consequence: str
    """What happens when it is exceeded, as a sentence."""
    _told: int = 0

    def judge(self, used: Usage) -> str | None:
        """Return what is to be told, once for each step that the use has come to; None: nothing new."""
        step = 2 if self.is_exceeded(used) else 1 if self._share(used) >= NEAR else 0
        risen, self._told = step > self._told, step
        if not risen:
            return None
        size = f"{used.bytes / GB:.1f} GB in {used.entries:,} files" if used.complete else f"more than {MOST_FILES:,} files"
        allowed = f"{self.what} have {size}; {self.bytes / GB:g} GB and {MOST_FILES:,} files are allowed."
        return f"{allowed} {self.consequence}" if step == 2 else f"{allowed} Remove what is not needed any more."

    def is_exceeded(self, used: Usage) -> bool:
        """Whether more is used than is allowed."""
        return self._share(used) > 1

    def _share(self, used: Usage) -> float:
        return 2.0 if not used.complete else max(used.bytes / self.bytes, used.entries / MOST_FILES)
