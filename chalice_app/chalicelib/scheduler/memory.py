"""Remember the instances that a version had at this environment's last look.

A warm page then needs no look (DESIGN, "What a warm request may cost"). Memory may be out of date.
That does no harm: a seat is taken conditionally, and an agent refuses a request for another
instance.
"""

from collections.abc import Iterable, Mapping

from chalicelib.instances.model import Instance
from chalicelib.instances.state import InstanceState

LOOK_AGAIN = 60.0
"""Seconds until an app with several instances is looked up again, to find those started since."""
LOOK_SOON = 5.0
"""Seconds until an app is looked up again while one of its instances is starting."""
_MOST = 1000


class KnownInstances:
    """Rows of instances by version and slot."""

    def __init__(self) -> None:
        self._rows: dict[str, tuple[float, dict[int, Instance]]] = {}
        self._gone: dict[str, float] = {}

    def remember(self, version_id: str, rows: Iterable[Instance], now: float) -> None:
        """Remember the rows that a look found."""
        if len(self._rows) > _MOST:
            self._rows.clear()
        self._rows[version_id] = now, {int(row.slot): row for row in rows}

    def update(self, version_id: str, row: Instance) -> None:
        """Remember one instance as a write left it, if its version is remembered."""
        if version_id in self._rows:
            self._rows[version_id][1][int(row.slot)] = row

    def learn(self, version_id: str, row: Instance) -> None:
        """Remember one instance that was read on its own."""
        self._rows.setdefault(version_id, (0.0, {}))[1][int(row.slot)] = row

    def rows(self, version_id: str, now: float, *, alone: bool) -> list[Instance]:
        """Return the remembered rows, or none if it is time to look again.

        ``alone`` says that the app has at most one instance, so that another look could find no
        more.
        """
        looked_at, rows = self._rows.get(version_id, (0.0, {}))
        starting = any(row.state == InstanceState.STARTING for row in rows.values())
        return (
            list(rows.values())
            if alone or now - looked_at < (LOOK_SOON if starting else LOOK_AGAIN)
            else []
        )

    def any_of(self, version_id: str, now: float) -> Instance | None:
        """Return a READY instance of the version, unless the last look at it is too old.

        A look is too old after :data:`LOOK_AGAIN` seconds.
        """
        looked_at, rows = self._rows.get(version_id, (0.0, {}))
        if now - looked_at >= LOOK_AGAIN:
            return None
        gone = self.gone(now)
        ready = [row for row in rows.values() if row.state == InstanceState.READY]
        return min(ready, key=lambda row: row.instance_id in gone, default=None)

    def in_slot(self, version_id: str, slot: int) -> Instance | None:
        """Return the READY instance in a slot, if it is remembered."""
        row = self._known(version_id).get(slot)
        return row if row is not None and row.state == InstanceState.READY else None

    def forget(self, version_id: str) -> None:
        """Forget a version because a remembered row proved wrong."""
        self._rows.pop(version_id, None)

    def lose(self, version_id: str, instance_id: str, now: float) -> None:
        """Forget a version, and remember for a while that this instance did not answer."""
        self.forget(version_id)
        if len(self._gone) >= _MOST:
            self._gone.clear()
        self._gone[instance_id] = now

    def gone(self, now: float) -> frozenset[str]:
        """Return the instances that were lost less than :data:`LOOK_AGAIN` seconds ago.

        Their rows may say READY until the heartbeat is missed.
        """
        return frozenset(
            instance_id for instance_id, lost_at in self._gone.items() if now - lost_at < LOOK_AGAIN
        )

    def _known(self, version_id: str) -> Mapping[int, Instance]:
        return self._rows.get(version_id, (0.0, {}))[1]
