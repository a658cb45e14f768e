"""Snapshots of whole tables for public pages: a table is read once, however many visitors ask.

A row keeps the snapshot, and environments remember it too. When it gets old, one of the requests
that notice reads the tables again. The others show the old snapshot meanwhile.
"""

import json
import zlib
from collections.abc import Callable
from typing import Any

from pynamodb.attributes import BinaryAttribute, NumberAttribute, UnicodeAttribute

from chalicelib.aws.tables import Table
from chalicelib.clock import Clock

KEPT = 10.0
"""Seconds that a snapshot is shown. After that, one request pays for a new one."""
_LARGEST = 380_000
"""Bytes of a row's content (FACTS D: 400 KB an item).

A larger snapshot is not kept in the table.
"""


class Snapshot(Table):
    """One snapshot."""

    short_name = "snapshots"

    class Meta:
        table_name = "snapshots"

    name = UnicodeAttribute(hash_key=True)
    looked_at = NumberAttribute()
    """When the last look began (epoch seconds)."""
    content = BinaryAttribute(null=True, legacy_encoding=False)
    """Compressed JSON; unset until the first look has ended."""


class Snapshots:
    """The snapshots that one Lambda environment remembers."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._known: dict[str, tuple[float, Any]] = {}

    def get(self, name: str, look: Callable[[], Any]) -> Any:
        """Return a result of ``look`` that is about :data:`KEPT` seconds old at most.

        ``look`` reads tables and returns what JSON can hold. This costs nothing while the
        environment remembers the result, and one call otherwise. One request at a time also pays
        for the look.
        """
        now = self._clock()
        looked_at, value = self._known.get(name, (0.0, None))
        if now - looked_at < KEPT:
            return value
        row = _read(name)
        if row is not None and row.content is not None:
            value = json.loads(zlib.decompress(row.content))
            if now - float(row.looked_at) < KEPT or not _is_ours(name, now):
                return self._remember(name, max(float(row.looked_at), now - KEPT / 2), value)
        elif row is not None and not _is_ours(name, now) and value is not None:
            return value
        elif row is None:
            _is_ours(name, now)
        value = look()
        packed = zlib.compress(json.dumps(value, separators=(",", ":")).encode())
        if len(packed) <= _LARGEST:
            Snapshot(name).update(actions=[Snapshot.content.set(packed)])
        return self._remember(name, now, value)

    def _remember(self, name: str, at: float, value: Any) -> Any:
        self._known[name] = at, value
        return value


def _read(name: str) -> Snapshot | None:
    try:
        return Snapshot.get(name)
    except Snapshot.DoesNotExist:
        return None


def _is_ours(name: str, now: float) -> bool:
    """Take on the next look; return False if another request did so a moment ago."""
    old = Snapshot.looked_at.does_not_exist() | (Snapshot.looked_at <= now - KEPT)
    return Snapshot(name).update_if(old, [Snapshot.looked_at.set(now)])
