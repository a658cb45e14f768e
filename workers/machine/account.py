"""The user that an app in a folder runs as."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Account:
    """A user with a name, which other apps and people may share."""

    name: str
    unix_id: int
    group: int
    groups: tuple[int, ...]
    """The other groups that the user is in."""
    home: Path
