"""DynamoDB as the scheduler's code sees it: the same functions as the stores' modules, on rows in
memory, with their conditions.

Each call takes a few milliseconds of virtual time, in which others act, and counts: what it was,
what it costs in capacity units, and whether its condition failed, which is a conflict.
``tests/benchmarks/scheduler`` holds these functions against the real ones.
"""

import math
import random
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial

from chalicelib.apps.model import App
from chalicelib.aws.tables import Table
from chalicelib.configuration.above import NOTHING, Above
from chalicelib.instances.lease import Expired, live
from chalicelib.instances.model import InstanceRef
from chalicelib.instances.state import InstanceState
from chalicelib.scheduler.queue.line import FIRST_LEASE, LEASE

ROW_BYTES = 900
"""Of an instance's row without its seats, about."""
SEAT_BYTES = 48
PLACE_BYTES = 110
CEILING_BYTES = 900
"""Of the row of the ceiling of instances, with a few that run."""
CONNECTION_BYTES = 400
FASTEST, SLOWEST = 0.002, 0.008
"""Seconds that a call takes."""


@dataclass
class Row:
    """An instance's row, as far as the scheduler looks at it."""

    version_id: str
    slot: int
    instance_id: str
    state: str
    seats: dict[str, float]
    capacity: int
    claimed_at: float
    queued_until: float | None = None
    failure: Mapping[str, str] | None = None
    stopped_at: float | None = None
    ready_at: float | None = None
    above: str = ""
    above_number: int = 0

    @property
    def ref(self) -> InstanceRef:
        return InstanceRef(self.version_id, self.slot, self.instance_id)

    @property
    def size(self) -> int:
        """Bytes, about."""
        return ROW_BYTES + SEAT_BYTES * len(self.seats)


@dataclass
class Bill:
    """What was called how often."""

    calls: Counter[str] = field(default_factory=Counter)
    conflicts: Counter[str] = field(default_factory=Counter)
    read_units: float = 0.0
    write_units: float = 0.0

    def read(self, name: str, size: float, consistent: bool = True) -> None:
        """A read: a unit is 4 KB, half of one when it need not be consistent."""
        self.calls[name] += 1
        self.read_units += max(1, math.ceil(size / 4096)) * (1.0 if consistent else 0.5)

    def write(self, name: str, size: float) -> None:
        """A write: a unit is 1 KB; it costs the same when its condition fails."""
        self.calls[name] += 1
        self.write_units += max(1, math.ceil(size / 1024))


class Instances:
    """Stands in for :mod:`chalicelib.instances.store`."""

    def __init__(
        self, bill: Bill, pause: Callable[[], None], claimed: Callable[[Row], None]
    ) -> None:
        """``pause`` lets a call's time pass; ``claimed`` is what the table's stream leads to."""
        self.rows: defaultdict[str, dict[int, Row]] = defaultdict(dict)
        self._bill = bill
        self._pause = pause
        self._claimed = claimed
        self._made = 0

    def of_version(self, version_id: str) -> list[Row]:
        self._pause()
        rows = [_copy(row) for _, row in sorted(self.rows[version_id].items())]
        self._bill.read("Query instances", sum(row.size for row in rows))
        return rows

    def get(self, ref: InstanceRef) -> Row | None:
        self._pause()
        row = self._row(ref)
        self._bill.read("GetItem instances", row.size if row else 0)
        return _copy(row) if row else None

    def claim(
        self,
        version_id: str,
        slot: int,
        *,
        app: str,
        capacity: int,
        now: float,
        size: str = "large",
        seen: Row | None = None,
        most: int = 0,
        above: Above = NOTHING,
    ) -> Row | None:
        assert not most, "the simulated deployment has no ceiling"
        assert above == NOTHING, "the simulated deployment has no configuration"
        self._pause()
        self._bill.write("PutItem instances", ROW_BYTES)
        there = self.rows[version_id].get(slot)
        unchanged = (
            there is None
            if seen is None
            else there is not None
            and (there.instance_id, there.state) == (seen.instance_id, seen.state)
        )
        if not unchanged:
            self._bill.conflicts["claim"] += 1
            return None
        self._made += 1
        row = Row(
            version_id, slot, f"{self._made:016x}", InstanceState.STARTING.value, {}, capacity, now
        )
        self.rows[version_id][slot] = row
        self._claimed(row)
        return _copy(row)

    def take_seat(
        self,
        ref: InstanceRef,
        session_id: str,
        lease: float,
        instead_of: Expired | None = None,
        *,
        unless_queued_at: float | None = None,
    ) -> Row | None:
        def possible(row: Row) -> bool:
            if row.state != InstanceState.READY:
                return False
            room = (
                len(row.seats) < row.capacity
                if instead_of is None
                else row.seats.get(instead_of.session_id) == instead_of.lease
            )
            return room and (
                unless_queued_at is None
                or row.queued_until is None
                or row.queued_until <= unless_queued_at
            )

        def act(row: Row) -> None:
            row.seats[session_id] = lease
            if instead_of is not None:
                del row.seats[instead_of.session_id]

        return self._update("take a seat", ref, possible, act)

    def mark_queued(self, ref: InstanceRef, until: float) -> Row | None:
        return self._update(
            "mark a queue", ref, _is_ready, lambda row: setattr(row, "queued_until", until)
        )

    def renew(self, ref: InstanceRef, leases: Mapping[str, float]) -> bool:
        return (
            not leases
            or self._update("renew leases", ref, _is_ready, lambda row: row.seats.update(leases))
            is not None
        )

    def give_back(self, ref: InstanceRef, session_id: str) -> bool:
        return (
            self._update(
                "give a seat back",
                ref,
                lambda row: session_id in row.seats,
                lambda row: row.seats.pop(session_id),
            )
            is not None
        )

    def mark_phase(self, ref: InstanceRef) -> bool:
        return (
            self._update(
                "mark a phase",
                ref,
                lambda row: row.state == InstanceState.STARTING,
                lambda _row: None,
            )
            is not None
        )

    def mark_worker(self, ref: InstanceRef) -> bool:
        return (
            self._update(
                "mark workers",
                ref,
                lambda row: row.state != InstanceState.STOPPED,
                lambda _row: None,
            )
            is not None
        )

    def mark_ready(self, ref: InstanceRef, now: float) -> bool:
        def act(row: Row) -> None:
            row.state, row.ready_at = InstanceState.READY.value, row.ready_at or now

        possible = (InstanceState.STARTING, InstanceState.READY)
        return self._update("mark ready", ref, lambda row: row.state in possible, act) is not None

    def drain(self, ref: InstanceRef, now: float) -> bool:
        """As the real one, which reads first and writes on the condition that nothing has
        changed.
        """
        for _ in range(3):
            row = self.get(ref)
            if row is None or row.state not in (InstanceState.READY, InstanceState.DRAINING):
                return False
            if row.state == InstanceState.DRAINING:
                return True
            if live(row.seats, now):
                return False
            if self._update(
                "drain",
                ref,
                partial(_is_ready_with, row.seats),
                lambda row: setattr(row, "state", InstanceState.DRAINING.value),
            ):
                return True
        return False

    def mark_stopped(self, ref: InstanceRef, failure: Mapping[str, str] | None, now: float) -> bool:
        def act(row: Row) -> None:
            row.state, row.stopped_at, row.failure = (
                InstanceState.STOPPED.value,
                now,
                failure or row.failure,
            )

        stopped = (
            self._update("mark stopped", ref, lambda row: row.state != InstanceState.STOPPED, act)
            is not None
        )
        if stopped:
            self._pause()
            self._bill.write("UpdateItem ceilings", CEILING_BYTES)
        return stopped

    @staticmethod
    def seats_of(row: Row) -> dict[str, float]:
        return row.seats

    def _row(self, ref: InstanceRef) -> Row | None:
        row = self.rows[ref.version_id].get(ref.slot)
        return row if row is not None and row.instance_id == ref.instance_id else None

    def _update(
        self,
        name: str,
        ref: InstanceRef,
        possible: Callable[[Row], bool],
        act: Callable[[Row], object],
    ) -> Row | None:
        self._pause()
        row = self._row(ref)
        if row is None or not possible(row):
            self._bill.write(f"UpdateItem instances: {name}", row.size if row else 0)
            self._bill.conflicts[name] += 1
            return None
        before = row.size
        act(row)
        self._bill.write(f"UpdateItem instances: {name}", max(before, row.size))
        return _copy(row)


class Queues:
    """Stands in for :mod:`chalicelib.scheduler.queue.store`."""

    def __init__(self, bill: Bill, pause: Callable[[], None]) -> None:
        self.lines: defaultdict[str, dict[str, float]] = defaultdict(dict)
        self._bill = bill
        self._pause = pause

    def line(self, version_id: str) -> dict[str, float]:
        self._pause()
        line = dict(sorted(self.lines[version_id].items()))
        self._bill.read("Query queue", PLACE_BYTES * len(line))
        return line

    def take(self, version_id: str, place: str, now: float) -> None:
        self._pause()
        self._bill.write("PutItem queue", PLACE_BYTES)
        self.lines[version_id][place] = now + FIRST_LEASE

    def renew(self, version_id: str, place: str, now: float, lease: float = LEASE) -> bool:
        self._pause()
        self._bill.write("UpdateItem queue", PLACE_BYTES)
        if place not in self.lines[version_id]:
            return False
        self.lines[version_id][place] = now + lease
        return True

    def leave(self, version_id: str, place: str) -> None:
        self._pause()
        self._bill.write("DeleteItem queue", PLACE_BYTES)
        self.lines[version_id].pop(place, None)


class Apps:
    """Stands in for the tables of apps and of locations, which are not carried over yet."""

    def __init__(self, bill: Bill, pause: Callable[[], None], apps: Iterable[App]) -> None:
        self.apps = {app.name: app for app in apps}
        self._bill = bill
        self._pause = pause

    def read_together(self, wanted: Mapping[type[Table], Collection[tuple[str, ...]]]) -> list[App]:
        """As :func:`chalicelib.aws.tables.read_together`."""
        self._pause()
        for keys in wanted.values():
            self._bill.read_units += 0.5 * len(keys)  # each item counts by itself
        self._bill.calls["BatchGetItem apps"] += 1
        return [self.apps[name] for (name,) in wanted[App] if name in self.apps]


def pause_of(sleep: Callable[[float], None], chance: random.Random) -> Callable[[], None]:
    """Return what lets the time of one call pass."""
    return lambda: sleep(chance.uniform(FASTEST, SLOWEST))


def _is_ready_with(seats: Mapping[str, float], row: Row) -> bool:
    return row.state == InstanceState.READY and row.seats == seats


def _is_ready(row: Row) -> bool:
    return row.state == InstanceState.READY


def _copy(row: Row) -> Row:
    return replace(row, seats=dict(row.seats))
