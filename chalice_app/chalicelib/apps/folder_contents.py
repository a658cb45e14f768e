"""What a folder of a tree contains, and whether it is an app by Shiny Server's rule. Pure."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

_APP = re.compile(r"(server|app)\.r\Z|.*\.(rmd|qmd)\Z", re.IGNORECASE | re.DOTALL)
_PYTHON_APP = "app.py"
_MARKER = ""


class File(NamedTuple):
    """A file of a tree, as the listing of its folder tells of it."""

    name: str
    size: int
    etag: str
    """With its quotes."""
    modified: float
    """Seconds since the epoch."""


@dataclass(frozen=True)
class FolderContents:
    """A folder's files by name, and the names of its folders."""

    files: Mapping[str, File]
    folders: frozenset[str]
    marked: bool = False
    """Whether an object stands for the folder itself, which may then be empty."""

    @classmethod
    def of(cls, files: Iterable[File], folders: Iterable[str]) -> "FolderContents":
        """Return what a listing says; a name that is both counts as a folder.

        A bucket may have names that no file system has: nobody can ask for them.
        """
        below = frozenset(name for name in folders if name)
        listed = {file.name: file for file in files if file.name not in below}
        marked = listed.pop(_MARKER, None) is not None
        return cls(listed, below, marked)

    @property
    def exists(self) -> bool:
        """Whether the folder is there at all."""
        return bool(self.marked or self.files or self.folders)

    @cached_property
    def is_app(self) -> bool:
        """Whether the names in the folder make it an app, whatever is in these files."""
        return any(
            name == _PYTHON_APP or _APP.match(name)
            for names in (self.files, self.folders)
            for name in names
        )
