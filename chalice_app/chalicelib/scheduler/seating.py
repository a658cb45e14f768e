"""Gives a visitor a seat: reads what there is, decides, acts, and decides again when somebody else was faster."""

from collections.abc import Callable
from typing import NamedTuple

from chalicelib.apps.settings import AppSettings
from chalicelib.instances import store
from chalicelib.instances.model import Instance
from chalicelib.instances.state import InstanceState
from chalicelib.scheduler.decision import Claim, Full, Place, Seat, Wait, decide
from chalicelib.scheduler.memory import ReadyInstances
from chalicelib.sessions.lease import PENDING, Expired

ATTEMPTS = 8
"""Lost races before a visitor is told that the app is full; each means that somebody else got on."""


class Seated(NamedTuple):
    """The visitor has a seat on this instance, until its lease ends."""

    instance: Instance


class Starting(NamedTuple):
    """The visitor waits for this instance; ``claimed`` when this very call claimed it."""

    instance: Instance
    claimed: bool


class NoRoom(NamedTuple):
    """All instances that there may be are full."""

    seats: int


Outcome = Seated | Starting | NoRoom


class Scheduler:
    """The scheduler as one Lambda environment holds it; it remembers which instances were READY when it last looked."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self.ready = ReadyInstances()

    def seat(self, version_id: str, location: str, settings: AppSettings, session_id: str) -> Outcome:
        """Give the session a seat, or say what it waits for. With a READY instance in memory this is one DynamoDB call."""
        seated = self._from_memory(version_id, settings, session_id)
        for _ in range(ATTEMPTS if seated is None else 0):
            rows = store.of_version(version_id)
            self.ready.remember(version_id, rows, self._clock())
            outcome = self._try(rows, version_id, location, settings, session_id)
            if outcome is not None:
                return outcome
        return seated or NoRoom(settings.worker_limits.seats * settings.max_instances)

    def _from_memory(self, version_id: str, settings: AppSettings, session_id: str) -> Seated | None:
        """Take a seat where one was when this environment last looked. What is remembered may be old, so nothing else is decided by it."""
        now = self._clock()
        remembered = self.ready.places(version_id, now, alone=settings.max_instances == 1)
        match decide([place_of(row) for row in remembered], now, settings.max_instances):
            case Seat(slot, instead_of):
                row = next(row for row in remembered if row.slot == slot)
                return self._take(version_id, row, session_id, now + PENDING, instead_of)
        return None

    def _try(self, rows: list[Instance], version_id: str, location: str, settings: AppSettings, session_id: str) -> Outcome | None:
        now = self._clock()
        by_slot = {int(row.slot): row for row in rows}
        match decide([place_of(row) for row in rows], now, settings.max_instances):
            case Seat(slot, instead_of):
                return self._take(version_id, by_slot[slot], session_id, now + PENDING, instead_of)
            case Claim(slot, seen):
                claimed = store.claim(
                    version_id,
                    slot,
                    location=location,
                    capacity=settings.worker_limits.seats,
                    now=now,
                    seen=by_slot[slot] if seen is not None else None,
                )
                return Starting(claimed, claimed=True) if claimed is not None else None
            case Wait(slot):
                return Starting(by_slot[slot], claimed=False)
            case Full(seats):
                return NoRoom(seats)

    def _take(self, version_id: str, row: Instance, session_id: str, lease: float, instead_of: Expired | None) -> Seated | None:
        taken = store.take_seat(row.ref, session_id, lease, instead_of)
        if taken is None:
            return None
        self.ready.update(version_id, taken)
        return Seated(taken)


def place_of(row: Instance) -> Place:
    """The row as the decision sees it."""
    return Place(int(row.slot), row.instance_id, row.state, store.seats_of(row), int(row.capacity), float(row.claimed_at))


def is_ready(row: Instance) -> bool:
    """Whether the instance takes visitors, and it is known where."""
    return row.state == InstanceState.READY and bool(row.address)
