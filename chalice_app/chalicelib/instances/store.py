"""Read and write the instances' rows.

Each step is one conditional write (FACTS D2), so that of two attempts at once exactly one succeeds.

The agent uses :func:`get`, :func:`mark_phase`, :func:`mark_worker`, :func:`renew` and
:func:`give_back`.
"""

import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from pynamodb.expressions.condition import Condition
from pynamodb.expressions.condition import size as size_of
from pynamodb.expressions.operand import Path
from pynamodb.expressions.update import Action

from chalicelib.configuration.above import NOTHING, Above
from chalicelib.instances.ceilings import store as ceilings
from chalicelib.instances.ceilings.errors import TooManyInstances
from chalicelib.instances.ceilings.model import INSTANCES
from chalicelib.instances.errors import InstanceChanged
from chalicelib.instances.lease import Expired, live
from chalicelib.instances.model import Instance, InstanceRef
from chalicelib.instances.secret import new_secret
from chalicelib.instances.state import InstanceState, Phase, came_before

STOPPED_ROW_LIFE = 7 * 24 * 3600.0
"""Seconds after which a stopped row may be deleted if nobody claims it again (FACTS D1)."""

_DRAIN_ATTEMPTS = 3
_RENEWED_AT_ONCE = 100
"""Leases in one write. Each adds 15 bytes to the write's expression, which has at most 4 KB."""


def in_slot(version_id: str, slot: int) -> Instance | None:
    """Read the row that is in a slot now, consistently."""
    try:
        return Instance.get(version_id, slot, consistent_read=True)
    except Instance.DoesNotExist:
        return None


def get(ref: InstanceRef) -> Instance | None:
    """Read the instance's row, consistently; return None if it is no longer in its slot."""
    instance = in_slot(ref.version_id, ref.slot)
    return instance if instance is not None and instance.instance_id == ref.instance_id else None


def of_version(version_id: str) -> list[Instance]:
    """Read the rows of every slot of a version that was ever claimed, consistently, by slot."""
    return list(Instance.query(version_id, consistent_read=True))


def of_app(app_id: str) -> list[Instance]:
    """Read the rows of all versions of an app.

    This reads the whole table, which has a row for each recent instance.
    """
    return list(Instance.scan(Instance.version_id.startswith(f"{app_id}.")))


def everywhere() -> list[Instance]:
    """Read every row, for pages and checks that show the whole deployment."""
    return list(Instance.scan())


def claim(
    version_id: str,
    slot: int,
    *,
    app: str,
    capacity: int,
    now: float,
    size: str = "large",
    seen: Instance | None = None,
    most: int = 0,
    above: Above = NOTHING,
) -> Instance | None:
    """Put a new STARTING instance into a slot.

    ``seen`` is the row that was read there: None, or an instance that may be replaced. Return None
    if another claim was faster. Raise :class:`TooManyInstances` if ``most`` instances run in the
    deployment already; 0 means no limit. The place below that ceiling is taken before the row is
    written, so that the ceiling always holds. A claim that breaks off in between leaves a place,
    which the sweeper gives back.
    """
    instance = Instance(
        version_id,
        slot,
        instance_id=secrets.token_hex(8),
        app=app,
        state=InstanceState.STARTING.value,
        phase=Phase.MACHINE.value,
        secret=new_secret(),
        seats={},
        capacity=capacity,
        size=size,
        above=above.text,
        above_number=above.number,
        claimed_at=now,
    )
    if seen is None:
        condition: Condition = Instance.version_id.does_not_exist()
    else:
        condition = (Instance.instance_id == seen.instance_id) & (Instance.state == seen.state)
    if most and not ceilings.enter(INSTANCES, instance.instance_id, most, now):
        raise TooManyInstances(most)
    if instance.save_if(condition):
        return instance
    if most:
        ceilings.leave(INSTANCES, instance.instance_id)
    return None


def take_seat(
    ref: InstanceRef,
    session_id: str,
    lease: float,
    instead_of: Expired | None = None,
    *,
    unless_queued_at: float | None = None,
) -> Instance | None:
    """Take a seat until ``lease`` in one write; with ``instead_of``, replace that expired lease.

    Return the row after the write. Return None if the instance is not READY or is full, if the
    expired seat has changed since it was read, or if visitors queue at the time
    ``unless_queued_at``.
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
    """Mark that visitors queue for a seat; return the row after it, or None if it is not READY."""
    return _update(
        ref, [Instance.queued_until.set(until)], Instance.state == InstanceState.READY.value
    )


def renew(ref: InstanceRef, leases: Mapping[str, float]) -> None:
    """Write the leases of live sessions (session id → epoch seconds), a hundred in each write.

    An empty mapping writes nothing. A lease may have ended, and its seat may have gone to another
    session, only if renewals were lost for minutes. Then the session gets its seat back, beyond the
    capacity if necessary: no visitor who is there is thrown out.

    Raise :class:`InstanceChanged` if the instance is not READY. It must then take no more visitors.
    """
    renewals: list[Action] = [_seat(session).set(lease) for session, lease in leases.items()]
    for start in range(0, len(renewals), _RENEWED_AT_ONCE):
        actions = renewals[start : start + _RENEWED_AT_ONCE]
        if _update(ref, actions, Instance.state == InstanceState.READY.value) is None:
            raise InstanceChanged(
                f"instance {ref} is no longer READY; leases of {len(leases)} sessions "
                "were not renewed"
            )


def give_back(ref: InstanceRef, session_id: str) -> bool:
    """Give a seat back; return True for the one call that did it, and False for every other."""
    seat = _seat(session_id)
    return _update(ref, [seat.remove()], seat.exists()) is not None


def adopt(ref: InstanceRef, above: Above) -> Instance | None:
    """Put layers of a later configuration in the place of an instance's.

    Return the row after it; None if the instance has stopped, or has layers as late as these.
    """
    return _update(
        ref,
        [Instance.above.set(above.text), Instance.above_number.set(above.number)],
        (Instance.state != InstanceState.STOPPED.value)
        & (Instance.above_number.does_not_exist() | (Instance.above_number < above.number)),
    )


def mark_phase(ref: InstanceRef, phase: Phase | str) -> bool:
    """Record how far the start is; return False if the instance is not STARTING."""
    actions: list[Action] = [Instance.phase.set(Phase(phase).value)]
    return _update(ref, actions, Instance.state == InstanceState.STARTING.value) is not None


def mark_worker(ref: InstanceRef, worker_id: str | None) -> bool:
    """Record which R process serves now, if any; return False if the instance is gone."""
    action: Action = (
        Instance.worker.set(worker_id) if worker_id is not None else Instance.worker.remove()
    )
    return _update(ref, [action], Instance.state != InstanceState.STOPPED.value) is not None


def mark_capacity(ref: InstanceRef, capacity: int) -> bool:
    """Record how many seats there are from now on; taken seats beyond that stay.

    Return False if the instance has stopped, or if another instance is in the slot.
    """
    return (
        _update(
            ref, [Instance.capacity.set(capacity)], Instance.state != InstanceState.STOPPED.value
        )
        is not None
    )


def mark_app_file(ref: InstanceRef, text: str, capacity: int) -> bool:
    """Record the ``.shiny_app.conf`` that the instance serves by, and how many seats there are.

    Return False if the instance has stopped, or if another instance is in the slot.
    """
    actions: list[Action] = [Instance.app_file.set(text), Instance.capacity.set(capacity)]
    return _update(ref, actions, Instance.state != InstanceState.STOPPED.value) is not None


def mark_ready(
    ref: InstanceRef, address: str, token: str, now: float, task: str = "", order: int = 0
) -> Instance:
    """Move an instance STARTING → READY, or give a READY instance a new token, address and task.

    ``token`` is the state machine's current task token. ``order`` is greater for later tokens.
    Raise :class:`InstanceChanged` if the instance is in neither state, because it was given up
    meanwhile, or if it has a later token.
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
    instance = _update(
        ref,
        actions,
        Instance.state.is_in(InstanceState.STARTING.value, InstanceState.READY.value) & not_later,
    )
    if instance is None:
        raise InstanceChanged(
            f"instance {ref} is neither STARTING nor READY: it was given up, its task is "
            "to be stopped; or has a later token"
        )
    return instance


def drain(ref: InstanceRef, now: float) -> bool:
    """Move an instance READY → DRAINING if no seat is held.

    The write is conditional on the very seats that were read and found expired. Return True also if
    the instance was DRAINING before. Return False if there is, or may be, a visitor.
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
        actions: list[Action] = [
            Instance.state.set(InstanceState.DRAINING.value),
            Instance.draining_at.set(now),
        ]
        # A spare may be bound to an app at this very moment.
        free = Instance.bound_to.does_not_exist()
        if (
            _update(ref, actions, (Instance.state == InstanceState.READY.value) & unchanged & free)
            is not None
        ):
            return True
    return False


def mark_stopped(
    ref: InstanceRef,
    failure: Mapping[str, str] | None,
    now: float,
    after: Sequence[InstanceState] = came_before(InstanceState.STOPPED),
) -> bool:
    """Move an instance to STOPPED from one of the states ``after``.

    ``failure`` (``error``, ``cause``) is given if the instance stops because of a failure. Return
    False if the instance is in none of these states: it stopped before, and its recorded failure
    stays.
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
    stopped = (
        _update(ref, actions, Instance.state.is_in(*[state.value for state in after])) is not None
    )
    if stopped:
        # If the place is not given back here, the sweeper finds it.
        ceilings.leave(INSTANCES, ref.instance_id)
    return stopped


def seats_of(instance: Instance) -> dict[str, float]:
    """Return the seat map as a plain dictionary: session id → end of its lease."""
    seats: Any = instance.seats
    return {
        str(session): float(lease)
        for session, lease in (seats.as_dict() if seats is not None else {}).items()
    }


def _seat(session_id: str) -> Path:
    return Path(["seats", session_id])


def _taken() -> Any:
    return size_of(Instance.seats)  # type: ignore[no-untyped-call]


def _update(ref: InstanceRef, actions: list[Action], condition: Condition) -> Instance | None:
    """Write the row conditionally while this very instance is in it.

    Return the row after the write, or None if the condition fails.
    """
    instance = Instance(ref.version_id, ref.slot)
    same = Instance.instance_id == ref.instance_id
    return instance if instance.update_if(same & condition, actions) else None
