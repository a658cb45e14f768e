"""What the scheduler does for a visitor who needs a seat, and what it does ahead of need. Pure."""

from collections.abc import Container, Iterable, Mapping, Sequence
from typing import NamedTuple, Self

from chalicelib.configuration.app_settings import AppSettings
from chalicelib.instances.lease import Expired, live, longest_expired
from chalicelib.instances.state import InstanceState, is_overdue

AFTER_FAILURE = 60.0
"""Seconds after a failed start in which nothing is started ahead of need: a broken app must not start over and over."""


class Place(NamedTuple):
    """An instance's row as the scheduler sees it."""

    slot: int
    instance_id: str
    state: str
    seats: Mapping[str, float]
    capacity: int
    claimed_at: float
    failed_at: float | None = None
    """When it stopped, if it did not mean to."""


class Limits(NamedTuple):
    """How many instances there may be, and when there are to be more."""

    max_instances: int = 1
    start_count: int = 1
    """Instances that the first visit starts."""
    load_factor: float = 1.0
    """A further instance is claimed when more than this share of all seats is taken."""

    @classmethod
    def of(cls, settings: AppSettings) -> Self:
        return cls(settings.max_instances, settings.start_count, settings.instance_load_factor)


class Seat(NamedTuple):
    """Take a seat here; when ``instead_of`` is there, the one of that expired lease."""

    slot: int
    instead_of: Expired | None


class Claim(NamedTuple):
    """Claim this slot; ``seen`` is the id of the instance that was in it, None when it was never used."""

    slot: int
    seen: str | None


class Wait(NamedTuple):
    """An instance is on its way, or one is going and its slot will be free: wait for it."""

    slot: int


class Full(NamedTuple):
    """Every instance that there may be is full."""

    seats: int


Decision = Seat | Claim | Wait | Full


def decide(places: Sequence[Place], now: float, limits: Limits, before: int = 0, gone: Container[str] = ()) -> Decision:
    """Decide for one visitor, given all slots of the version that were ever used; ``before`` others come first.

    In this order: a seat on the READY instance with the fewest live sessions that has room; the longest-waiting STARTING instance; a free
    slot; a seat on an instance that proved ``gone``; an instance that is going. Slots at or beyond ``max_instances`` (it was lowered) keep
    their visitors and get no new ones.
    """
    usable = [place for place in places if place.slot < limits.max_instances]
    ready = [place for place in usable if place.state == InstanceState.READY and len(live(place.seats, now)) < place.capacity]
    with_room = [place for place in ready if place.instance_id not in gone]
    free = _free(with_room, now)
    if free > before:
        return _seat(with_room, now)
    starting = _starting(usable, now)
    if sum(place.capacity for place in starting) > before - free:
        return Wait(min(starting, key=lambda place: (place.claimed_at, place.slot)).slot)
    for claim in _claimable(usable, now, limits):
        return claim
    if _free(ready, now) > before:
        return _seat(ready, now)
    draining = [place for place in usable if place.state == InstanceState.DRAINING]
    if draining:
        return Wait(min(place.slot for place in draining))
    return Full(sum(place.capacity for place in usable))


def _free(places: Iterable[Place], now: float) -> int:
    return sum(place.capacity - len(live(place.seats, now)) for place in places)


def _seat(places: Iterable[Place], now: float) -> Seat:
    best = min(places, key=lambda place: (len(live(place.seats, now)), place.slot))
    # Expired leases still take up room in the row: one of them is replaced.
    return Seat(best.slot, longest_expired(best.seats, now) if len(best.seats) >= best.capacity else None)


def sleeps(places: Sequence[Place], now: float) -> bool:
    """Whether no instance is there or on its way, so that the next visit wakes the app."""
    return not any(place.state == InstanceState.READY for place in places) and not _starting(places, now)


def failed_lately(places: Iterable[Place], now: float) -> bool:
    """Whether an instance stopped a moment ago that did not mean to: a broken app must not start over and over."""
    return any(place.failed_at is not None and now - place.failed_at < AFTER_FAILURE for place in places)


def ahead(places: Sequence[Place], now: float, limits: Limits, *, woken: bool = False) -> tuple[Claim, ...]:
    """Return what is to be claimed beside, once the visitor has been dealt with and ``places`` say so.

    While none is READY, or when this visit has ``woken`` the app, instances up to ``start_count``; from then on one more, when the seats of
    those that there are and are coming are taken by more than ``load_factor``. Never beyond ``max_instances``, and nothing shortly after a
    failure.
    """
    usable = [place for place in places if place.slot < limits.max_instances]
    if failed_lately(usable, now):
        return ()
    ready, starting = [place for place in usable if place.state == InstanceState.READY], _starting(usable, now)
    there = len(ready) + len(starting)
    taken = sum(len(live(place.seats, now)) for place in ready)
    missing = int(taken > limits.load_factor * sum(place.capacity for place in [*ready, *starting]))
    if there and (woken or not ready):
        missing = max(missing, limits.start_count - there)
    return tuple(_claimable(usable, now, limits))[:missing]


def _starting(usable: Iterable[Place], now: float) -> list[Place]:
    return [place for place in usable if place.state == InstanceState.STARTING and not is_overdue(place.state, place.claimed_at, now)]


def _claimable(usable: Iterable[Place], now: float, limits: Limits) -> Iterable[Claim]:
    """The slots that may be claimed, the first ones first."""
    used = {place.slot: place for place in usable}
    for slot in range(limits.max_instances):
        place = used.get(slot)
        if place is None:
            yield Claim(slot, None)
        elif place.state == InstanceState.STOPPED or is_overdue(place.state, place.claimed_at, now):
            yield Claim(slot, place.instance_id)
