"""The configuration that holds, as one Lambda environment remembers it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import TYPE_CHECKING

from chalicelib.applying.model import POINTER, ConfigurationRow
from chalicelib.aws.tables import Table

if TYPE_CHECKING:
    from chalicelib.configuration.applied import Applied

REMEMBERED = 2.0
"""Seconds for which the pointer is used without being read again."""
_MOST = 3
"""The most configurations in memory."""


def _fetch(bucket: str, configuration_id: str) -> Applied:
    # Without a configuration, no environment pays for the import of its reader.
    from chalicelib.applying.contents import fetch

    return fetch(bucket, configuration_id)


class Current:
    """The configuration that holds.

    The pointer can be read in the call that reads a page's locations: this object says what to read
    (:meth:`wanted`) and takes the rows (:meth:`take`). Otherwise :meth:`get` reads it alone. What
    it points to never changes, and is read once.
    """

    def __init__(self, bucket: str, fetch: Callable[[str, str], Applied] = _fetch) -> None:
        self._bucket = bucket
        self._fetch = fetch
        self._read_at: float | None = None
        self._id: str | None = None
        self._number = 0
        self._kept: dict[str, Applied] = {}

    def wanted(self, now: float) -> Mapping[type[Table], Collection[tuple[str, ...]]]:
        """Return what to read for :meth:`take`; nothing if the pointer was read recently."""
        return {} if self._is_fresh(now) else {ConfigurationRow: [POINTER]}

    def take(self, rows: Iterable[Table], now: float) -> None:
        """Remember the pointer from rows that were read, :meth:`wanted` among them."""
        pointer = next((row for row in rows if isinstance(row, ConfigurationRow)), None)
        self._id = pointer.configuration if pointer is not None else None
        self._number = int(pointer.number) if pointer is not None else 0
        self._read_at = now

    def get(self, now: float) -> Applied | None:
        """Return the configuration; None: there is none.

        Raise :class:`ConfigurationLost` if it cannot be read. To go on with an older one, or with
        none, could open what it closes.
        """
        if not self._is_fresh(now):
            self.take(self._pointer(), now)
        if self._id is None:
            return None
        applied = self._kept.pop(self._id, None) or self._fetch(self._bucket, self._id)
        self._kept[self._id] = applied  # the newest use is at the end
        while len(self._kept) > _MOST:
            del self._kept[next(iter(self._kept))]
        return applied

    @property
    def number(self) -> int:
        """The number of the change that brought the configuration; 0: there was none yet."""
        return self._number

    def forget(self) -> None:
        """Forget the pointer, so that the next look is fresh."""
        self._read_at = None

    def _pointer(self) -> list[ConfigurationRow]:
        try:
            return [ConfigurationRow.get(*POINTER)]
        except ConfigurationRow.DoesNotExist:
            return []

    def _is_fresh(self, now: float) -> bool:
        return self._read_at is not None and now - self._read_at < REMEMBERED
