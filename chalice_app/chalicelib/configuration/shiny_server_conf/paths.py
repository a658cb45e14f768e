"""Finds what is declared at the prefixes of a path. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(slots=True)
class _Node(Generic[T]):
    values: list[T] = field(default_factory=list)
    below: "dict[str, _Node[T]]" = field(default_factory=dict)


class Prefixes(Generic[T]):
    """Values at paths, found by their path and by each path below it.

    A lookup costs as much as the path is deep, however many paths there are. Paths begin with a
    slash and have none at their end; ``""`` is the root.
    """

    def __init__(self) -> None:
        self._root: _Node[T] = _Node()

    def add(self, path: str, value: T) -> None:
        node = self._root
        for segment in path.split("/")[1:]:
            node = node.below.setdefault(segment, _Node())
        node.values.append(value)

    def nearest(self, path: str) -> list[T]:
        """Return the values at the longest prefix of a path that has some."""
        nearest: list[T] = []
        for values in self._along(path):
            nearest = values or nearest
        return nearest

    def of(self, path: str) -> Iterator[T]:
        """Yield the values at a path and at its prefixes, the shortest prefix first."""
        for values in self._along(path):
            yield from values

    def _along(self, path: str) -> Iterator[list[T]]:
        if not path.startswith("/") and path:
            return
        node, start = self._root, 1
        yield node.values
        while path and node.below and start > 0:
            stop = path.find("/", start)
            found = node.below.get(path[start:] if stop < 0 else path[start:stop])
            if found is None:
                return
            yield found.values
            node, start = found, stop + 1
