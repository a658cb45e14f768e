"""Decide what the scheduler does for a visitor who needs a seat, and ahead of need. Pure."""

from collections.abc import Container, Iterable, Mapping, Sequence
from typing import NamedTuple, Self

from chalicelib.configuration.app_settings import AppSettings
from chalicelib.instances.lease import Expired, live, longest_expired
from chalicelib.instances.state import InstanceState, is_overdue

AFTER_FAILURE = 60.0
"""Seconds after a failed start in which nothing is started ahead of need.

A broken app must not start over and over.
"""


class Candidate(NamedTuple):
    """An instance's row as the scheduler sees it."""

    slot: int
    instance_id: str
    state: str
    seats: Mapping[str, float]
    capacity: int
    claimed_at: float
    failed_at: float | None = None
    """When it stopped, if it stopped because of a failure."""


class InstanceLimits(NamedTuple):
    """How many instances a version may have, and when it gets more."""

    max_instances: int = 1
    start_count: int = 1
    """Instances that the first visit starts."""
    load_factor: float = 1.0
    """When more than this share of all seats is taken, a further instance is claimed."""

    @classmethod
    def of(cls, settings: AppSettings) -> Self:
        return cls(settings.max_instances, settings.start_count, settings.instance_load_factor)


class Seat(NamedTuple):
    """Take a seat here. If ``instead_of`` is given, take the seat of that expired lease."""

    slot: int
    instead_of: Expired | None


class Claim(NamedTuple):
    """Claim this slot. ``seen`` is the id of the instance in it, or None if it was never used."""

    slot: int
    seen: str | None


class WaitForSlot(NamedTuple):
    """Wait for this slot: its instance is starting, or is draining and will leave the slot free."""

    slot: int


class VersionFull(NamedTuple):
    """The version has all the instances that it may have, and they are full."""

    seats: int


Decision = Seat | Claim | WaitForSlot | VersionFull


def decide(
    places: Sequence[Candidate],
    now: float,
    limits: InstanceLimits,
    before: int = 0,
    gone: Container[str] = (),
) -> Decision:
    """Decide for one visitor, given every slot of the version that was ever used.

    ``before`` visitors come first. The choices, in this order:

    1. a seat on the READY instance with the fewest live sessions that has room;
    2. the STARTING instance that was claimed first;
    3. a free slot;
    4. a seat on an instance that is in ``gone``, because its agent did not answer;
    5. a DRAINING instance, whose slot will be free.

    Slots at or beyond ``max_instances`` keep their visitors and get no new ones. They exist if the
    setting was lowered.
    """
    usable = [place for place in places if place.slot < limits.max_instances]
    ready = [
        place
        for place in usable
        if place.state == InstanceState.READY and len(live(place.seats, now)) < place.capacity
    ]
    with_room = [place for place in ready if place.instance_id not in gone]
    free = _free(with_room, now)
    if free > before:
        return _seat(with_room, now)
    starting = _starting(usable, now)
    if sum(place.capacity for place in starting) > before - free:
        return WaitForSlot(min(starting, key=lambda place: (place.claimed_at, place.slot)).slot)
    for claim in _claimable(usable, now, limits):
        return claim
    if _free(ready, now) > before:
        return _seat(ready, now)
    draining = [place for place in usable if place.state == InstanceState.DRAINING]
    if draining:
        return WaitForSlot(min(place.slot for place in draining))
    return VersionFull(sum(place.capacity for place in usable))


def _free(places: Iterable[Candidate], now: float) -> int:
    return sum(place.capacity - len(live(place.seats, now)) for place in places)


def _seat(places: Iterable[Candidate], now: float) -> Seat:
    best = min(places, key=lambda place: (len(live(place.seats, now)), place.slot))
    # An expired lease still takes up room in the row, so the new seat replaces one.
    return Seat(
        best.slot, longest_expired(best.seats, now) if len(best.seats) >= best.capacity else None
    )


def sleeps(places: Sequence[Candidate], now: float) -> bool:
    """Return whether no instance is READY or STARTING, so that the next visit wakes the app."""
    return not any(place.state == InstanceState.READY for place in places) and not _starting(
        places, now
    )


def failed_lately(places: Iterable[Candidate], now: float) -> bool:
    """Return whether an instance failed less than :data:`AFTER_FAILURE` seconds ago.

    A broken app must not start over and over.
    """
    return any(
        place.failed_at is not None and now - place.failed_at < AFTER_FAILURE for place in places
    )


def ahead(
    places: Sequence[Candidate], now: float, limits: InstanceLimits, *, woken: bool = False
) -> tuple[Claim, ...]:
    """Return the further slots to claim, given ``places`` after the visitor has been dealt with.

    If no instance is READY, or if this visit has ``woken`` the app, claim slots until
    ``start_count`` instances are there. Otherwise claim one more when the share of taken seats,
    over READY and STARTING instances, exceeds ``load_factor``. Never claim beyond
    ``max_instances``. Claim nothing shortly after a failure.
    """
    usable = [place for place in places if place.slot < limits.max_instances]
    if failed_lately(usable, now):
        return ()
    ready, starting = (
        [place for place in usable if place.state == InstanceState.READY],
        _starting(usable, now),
    )
    there = len(ready) + len(starting)
    taken = sum(len(live(place.seats, now)) for place in ready)
    missing = int(taken > limits.load_factor * sum(place.capacity for place in [*ready, *starting]))
    if there and (woken or not ready):
        missing = max(missing, limits.start_count - there)
    return tuple(_claimable(usable, now, limits))[:missing]


def _starting(usable: Iterable[Candidate], now: float) -> list[Candidate]:
    return [
        place
        for place in usable
        if place.state == InstanceState.STARTING
        and not is_overdue(place.state, place.claimed_at, now)
    ]


def _claimable(usable: Iterable[Candidate], now: float, limits: InstanceLimits) -> Iterable[Claim]:
    """Yield a claim for each slot that may be claimed, in slot order."""
    used = {place.slot: place for place in usable}
    for slot in range(limits.max_instances):
        place = used.get(slot)
        if place is None:
            yield Claim(slot, None)
        elif place.state == InstanceState.STOPPED or is_overdue(place.state, place.claimed_at, now):
            yield Claim(slot, place.instance_id)
