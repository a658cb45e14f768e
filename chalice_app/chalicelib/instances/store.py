"""The instances' rows: each step is one conditional write (FACTS D2), so that of two who try at once exactly one goes through.

What the agent uses: :func:`get`, :func:`mark_phase`, :func:`mark_worker`, :func:`renew`, :func:`give_back`.
"""

import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from pynamodb.exceptions import PutError, UpdateError
from pynamodb.expressions.condition import Condition
from pynamodb.expressions.condition import size as size_of
from pynamodb.expressions.operand import Path
from pynamodb.expressions.update import Action

from chalicelib.aws.tables import refused
from chalicelib.instances.ceilings import store as ceilings
from chalicelib.instances.ceilings.errors import TooManyInstances
from chalicelib.instances.ceilings.model import INSTANCES
from chalicelib.instances.errors import InstanceChanged
from chalicelib.instances.lease import Expired, live
from chalicelib.instances.model import Instance, InstanceRef
from chalicelib.instances.secret import new_secret
from chalicelib.instances.state import InstanceState, Phase, came_before

STOPPED_ROW_LIFE = 7 * 24 * 3600.0
"""Seconds after which a stopped row that nobody claims again may be deleted (FACTS D1)."""

_DRAIN_ATTEMPTS = 3
_RENEWED_AT_ONCE = 100
"""Leases in one write: each adds 15 bytes to its expression, of 4 KB at most."""


def in_slot(version_id: str, slot: int) -> Instance | None:
    """Read what is in a slot now, consistently."""
    try:
        return Instance.get(version_id, slot, consistent_read=True)
    except Instance.DoesNotExist:
        return None


def get(ref: InstanceRef) -> Instance | None:
    """Read the instance's row, consistently; None when its slot is empty or another instance is in it."""
    instance = in_slot(ref.version_id, ref.slot)
    return instance if instance is not None and instance.instance_id == ref.instance_id else None


def of_version(version_id: str) -> list[Instance]:
    """Read the rows of all slots of a version that were ever claimed, consistently, by slot."""
    return list(Instance.query(version_id, consistent_read=True))


def of_app(app_id: str) -> list[Instance]:
    """Read the rows of all versions of an app; reads the whole table, which has a row for each instance that there was lately."""
    return list(Instance.scan(Instance.version_id.startswith(f"{app_id}.")))


def everywhere() -> list[Instance]:
    """Read every row; for pages and checks that show the whole deployment."""
    return list(Instance.scan())


def claim(
    version_id: str,
    slot: int,
    *,
    location: str,
    capacity: int,
    now: float,
    size: str = "large",
    seen: Instance | None = None,
    most: int = 0,
) -> Instance | None:
    """Put a new STARTING instance into a slot. ``seen`` is what was read there: nothing, or one that may be replaced.

    Return None when somebody else was faster. Raise :class:`TooManyInstances` when ``most`` run in the deployment already; 0: any number
    may. The place below that ceiling comes before the row, so that there are never more; what breaks off in between leaves a place that
    the sweeper gives back.
    """
    instance = Instance(
        version_id,
        slot,
        instance_id=secrets.token_hex(8),
        location=location,
        state=InstanceState.STARTING.value,
        phase=Phase.MACHINE.value,
        secret=new_secret(),
        seats={},
        capacity=capacity,
        size=size,
        claimed_at=now,
    )
    if seen is None:
        condition: Condition = Instance.version_id.does_not_exist()
    else:
        condition = (Instance.instance_id == seen.instance_id) & (Instance.state == seen.state)
    if most and not ceilings.enter(INSTANCES, instance.instance_id, most, now):
        raise TooManyInstances(most)
    try:
        instance.save(condition=condition)
    except PutError as error:
        if refused(error):
            if most:
                ceilings.leave(INSTANCES, instance.instance_id)
            return None
        raise
    return instance


def take_seat(
    ref: InstanceRef, session_id: str, lease: float, instead_of: Expired | None = None, *, unless_queued_at: float | None = None
) -> Instance | None:
    """Take a seat until ``lease``, in one write; with ``instead_of``, the seat of that expired lease.

    Return the instance as it is after that, or None when it is not READY, or full, or the expired seat is no longer as it was read, or
    others queue at the time ``unless_queued_at``.
    """
    actions: list[Action] = [_seat(session_id).set(lease)]
    if instead_of is None:
        room = _taken() < Instance.capacity
    else:
        actions.append(_seat(instead_of.session_id).remove())
        room = _seat(instead_of.session_id) == instead_of.lease
    if unless_queued_at is not None:
        room &= Instance.queued_until.does_not_exist() | (Instance.queued_until <= unless_queued_at)
    return _update(ref, actions, (Instance.state == InstanceState.READY.value) & room)


def mark_queued(ref: InstanceRef, until: float) -> Instance | None:
    """Say that visitors queue for a seat; return the row after it, None when the instance is not READY."""
    return _update(ref, [Instance.queued_until.set(until)], Instance.state == InstanceState.READY.value)


def renew(ref: InstanceRef, leases: Mapping[str, float]) -> None:
    """Write the leases of live sessions (session id → epoch seconds), a hundred in each write; nothing for none.

    Only when renewals were lost for minutes may a lease have ended, and its seat have gone to another. Then it comes back, beyond the
    capacity if need be: nobody who is there is thrown out.
    Raise :class:`InstanceChanged` when the instance is not READY: it is to take no more visitors.
    """
    renewals: list[Action] = [_seat(session).set(lease) for session, lease in leases.items()]
    for start in range(0, len(renewals), _RENEWED_AT_ONCE):
        actions = renewals[start : start + _RENEWED_AT_ONCE]
        if _update(ref, actions, Instance.state == InstanceState.READY.value) is None:
            raise InstanceChanged(f"instance {ref} is no longer READY; leases of {len(leases)} sessions were not renewed")


def give_back(ref: InstanceRef, session_id: str) -> bool:
    """Give a seat back; True for the one call that did it, False for every other."""
    seat = _seat(session_id)
    return _update(ref, [seat.remove()], seat.exists()) is not None


def mark_phase(ref: InstanceRef, phase: Phase | str) -> bool:
    """Say how far the start is; False when the instance is not STARTING."""
    actions: list[Action] = [Instance.phase.set(Phase(phase).value)]
    return _update(ref, actions, Instance.state == InstanceState.STARTING.value) is not None


def mark_worker(ref: InstanceRef, worker_id: str | None) -> bool:
    """Say which R process serves now, or that none does; False when another instance is in the slot."""
    action: Action = Instance.worker.set(worker_id) if worker_id is not None else Instance.worker.remove()
    return _update(ref, [action], Instance.state != InstanceState.STOPPED.value) is not None


def mark_capacity(ref: InstanceRef, capacity: int) -> bool:
    """Say how many seats there are from here on; seats that are taken beyond that stay. False when another instance is in the slot."""
    return _update(ref, [Instance.capacity.set(capacity)], Instance.state != InstanceState.STOPPED.value) is not None


def mark_ready(ref: InstanceRef, address: str, token: str, now: float, task: str = "", order: int = 0) -> Instance:
    """STARTING → READY; ``token`` is the state machine's task token of now. For a READY instance only the token is new.

    ``order``: greater for later tokens. Raise :class:`InstanceChanged` when it is neither: it was given up meanwhile; or when it has a
    later token.
    """
    actions: list[Action] = [
        Instance.state.set(InstanceState.READY.value),
        Instance.address.set(address),
        Instance.token.set(token),
        Instance.token_order.set(order),
        Instance.task.set(task),
        Instance.ready_at.set(Instance.ready_at | now),
    ]
    not_later = Instance.token_order.does_not_exist() | (Instance.token_order <= order)
    instance = _update(ref, actions, Instance.state.is_in(InstanceState.STARTING.value, InstanceState.READY.value) & not_later)
    if instance is None:
        raise InstanceChanged(
            f"instance {ref} is neither STARTING nor READY: it was given up, its task is to be stopped; or has a later token"
        )
    return instance


def drain(ref: InstanceRef, now: float) -> bool:
    """READY → DRAINING, if no seat is held: the write is conditional on the very seats that were read and found expired.

    Return True also when it was DRAINING before; False when there is, or may be, a visitor.
    """
    for _ in range(_DRAIN_ATTEMPTS):
        instance = get(ref)
        if instance is None or instance.state not in (InstanceState.READY, InstanceState.DRAINING):
            return False
        if instance.state == InstanceState.DRAINING:
            return True
        seats = seats_of(instance)
        if live(seats, now):
            return False
        unchanged = Instance.seats == seats if seats else _taken() == 0
        actions: list[Action] = [Instance.state.set(InstanceState.DRAINING.value), Instance.draining_at.set(now)]
        # A spare may be bound to an app at this very moment.
        free = Instance.bound_to.does_not_exist()
        if _update(ref, actions, (Instance.state == InstanceState.READY.value) & unchanged & free) is not None:
            return True
    return False


def mark_stopped(
    ref: InstanceRef,
    failure: Mapping[str, str] | None,
    now: float,
    after: Sequence[InstanceState] = came_before(InstanceState.STOPPED),
) -> bool:
    """→ STOPPED, from one of the states ``after``; ``failure`` (``error``, ``cause``) when it did not mean to.

    Return False when it is in none of them: it stopped before, and what is known of why stays.
    """
    actions: list[Action] = [
        Instance.state.set(InstanceState.STOPPED.value),
        Instance.stopped_at.set(now),
        Instance.expires_at.set(int(now + STOPPED_ROW_LIFE)),
        Instance.token.remove(),
        Instance.address.remove(),
    ]
    if failure is not None:
        actions.append(Instance.failure.set(dict(failure)))
    stopped = _update(ref, actions, Instance.state.is_in(*[state.value for state in after])) is not None
    if stopped:
        ceilings.leave(INSTANCES, ref.instance_id)  # if this does not come about, the sweeper finds it
    return stopped


def seats_of(instance: Instance) -> dict[str, float]:
    """The seat map as a plain dictionary: session id → when its lease ends."""
    seats: Any = instance.seats
    return {str(session): float(lease) for session, lease in (seats.as_dict() if seats is not None else {}).items()}


def _seat(session_id: str) -> Path:
    return Path(["seats", session_id])


def _taken() -> Any:
    return size_of(Instance.seats)  # type: ignore[no-untyped-call]


def _update(ref: InstanceRef, actions: list[Action], condition: Condition) -> Instance | None:
    """One conditional write on the row while this very instance is in it; the row after it, or None when the condition fails."""
    instance = Instance(ref.version_id, ref.slot)
    try:
        instance.update(actions=actions, condition=(Instance.instance_id == ref.instance_id) & condition)
    except UpdateError as error:
        if refused(error):
            return None
        raise
    return instance
