"""What a reader of a configuration has to tell, and where. Pure."""

from typing import NamedTuple


class Position(NamedTuple):
    """A place in a file; lines and columns count from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


class Finding(NamedTuple):
    """An error or a warning, with its place."""

    position: Position
    text: str

    def __str__(self) -> str:
        return f"{self.position}: {self.text}"
