"""What pages for anybody show of whole tables, looked up once for all: however many ask, a table is read once in a while.

A row keeps what was found; environments remember it, too. One of those that find it old looks again, and the others show the old meanwhile.
"""

import json
import zlib
from collections.abc import Callable
from typing import Any

from pynamodb.attributes import BinaryAttribute, NumberAttribute, UnicodeAttribute
from pynamodb.exceptions import UpdateError

from chalicelib.aws.tables import Table, refused

KEPT = 10.0
"""Seconds that a snapshot is shown; after that one request pays for another one."""
_LARGEST = 380_000
"""Bytes of a row's content (FACTS D: 400 KB an item); a larger one is not kept in the table."""


class Snapshot(Table):
    """One snapshot."""

    short_name = "snapshots"

    class Meta:
        table_name = "snapshots"

    name = UnicodeAttribute(hash_key=True)
    looked_at = NumberAttribute()
    """When somebody began to look (epoch seconds)."""
    content = BinaryAttribute(null=True, legacy_encoding=False)
    """JSON, packed; none until the first look has ended."""


class Snapshots:
    """Snapshots as one Lambda environment remembers them."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._known: dict[str, tuple[float, Any]] = {}

    def get(self, name: str, look: Callable[[], Any]) -> Any:
        """Return what ``look``, which reads tables and returns what JSON can hold, found within about :data:`KEPT` seconds.

        Costs nothing while this environment remembers it, else one call; and the look, for one request at a time.
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
    """Take on the next look, unless somebody else did a moment ago."""
    old = Snapshot.looked_at.does_not_exist() | (Snapshot.looked_at <= now - KEPT)
    try:
        Snapshot(name).update(actions=[Snapshot.looked_at.set(now)], condition=old)
    except UpdateError as error:
        if refused(error):
            return False
        raise
    return True
