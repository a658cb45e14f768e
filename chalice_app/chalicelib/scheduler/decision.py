"""What the scheduler does for a visitor who needs a seat. Pure."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from chalicelib.instances.state import InstanceState, is_overdue
from chalicelib.sessions.lease import Expired, live, longest_expired


class Place(NamedTuple):
    """An instance's row as the scheduler sees it."""

    slot: int
    instance_id: str
    state: str
    seats: Mapping[str, float]
    capacity: int
    claimed_at: float


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


def decide(places: Sequence[Place], now: float, max_instances: int) -> Decision:
    """Decide for one visitor, given all slots of the version that were ever used.

    In this order: a seat on the READY instance with the fewest live sessions that has room; the longest-waiting
    STARTING instance; a free slot;
    an instance that is going. Slots at or beyond ``max_instances`` (it was lowered) keep their visitors and get no new ones.
    """
    usable = [place for place in places if place.slot < max_instances]
    with_room = [place for place in usable if place.state == InstanceState.READY and len(live(place.seats, now)) < place.capacity]
    if with_room:
        best = min(with_room, key=lambda place: (len(live(place.seats, now)), place.slot))
        # Expired leases still take up room in the row: one of them is replaced.
        return Seat(best.slot, longest_expired(best.seats, now) if len(best.seats) >= best.capacity else None)
    starting = [place for place in usable if place.state == InstanceState.STARTING and not is_overdue(place.state, place.claimed_at, now)]
    if starting:
        return Wait(min(starting, key=lambda place: (place.claimed_at, place.slot)).slot)
    used = {place.slot: place for place in usable}
    for slot in range(max_instances):
        place = used.get(slot)
        if place is None:
            return Claim(slot, None)
        if place.state == InstanceState.STOPPED or is_overdue(place.state, place.claimed_at, now):
            return Claim(slot, place.instance_id)
    draining = [place for place in usable if place.state == InstanceState.DRAINING]
    if draining:
        return Wait(min(place.slot for place in draining))
    return Full(sum(place.capacity for place in usable))
