"""Spare instances: booted, with R loaded, and not yet bound to an app.

A claim binds a spare to an app in one transaction, so that a first visitor does not wait for a
machine.

A spare has a row of its own, ``spare.<size>`` in a slot that no other spare has. Its state machine,
task and agent know it by that row. Once bound, it has the app's row as well, with the same instance
id, secret and address. From then on the app's row counts (its seats, its state), and the spare's
row names the app's.
"""

import secrets

from pynamodb.expressions.condition import Condition

from chalicelib.aws.tables import Together
from chalicelib.configuration.above import NOTHING, Above
from chalicelib.instances import store
from chalicelib.instances.model import Instance, InstanceRef
from chalicelib.instances.state import InstanceState, Phase

PREFIX = "spare."
_SLOTS = 2**48


def pool_of(size: str) -> str:
    """Return the version id that the spares of a size share."""
    return PREFIX + size


def is_spare(version_id: str) -> bool:
    """Return whether a version id is that of a spare's own row."""
    return version_id.startswith(PREFIX)


def in_pool(size: str) -> list[Instance]:
    """Read the rows of all recent spares of a size, including bound ones, consistently."""
    return store.of_version(pool_of(size))


def claim(size: str, now: float, most: int = 0) -> Instance:
    """Claim a new spare. The table's stream has it started like any instance.

    ``most`` is the ceiling of :func:`store.claim`.
    """
    claimed = None
    while claimed is None:  # the slot is taken with a chance of one in 2**48
        claimed = store.claim(
            pool_of(size),
            secrets.randbelow(_SLOTS),
            app="",
            capacity=0,
            size=size,
            now=now,
            most=most,
        )
    return claimed


def is_free(row: Instance) -> bool:
    """Return whether the spare waits for an app."""
    return row.state == InstanceState.READY and not row.bound_to and bool(row.address)


def bind(
    spare: Instance,
    version_id: str,
    slot: int,
    *,
    app: str,
    capacity: int,
    session_id: str,
    lease: float,
    now: float,
    seen: Instance | None,
    above: Above = NOTHING,
) -> Instance | None:
    """Put a free spare into an app's slot, READY at once, with the visitor's seat in it.

    ``seen`` is the row that was read in the slot. Return None if another claim took the spare or
    the slot; then nothing is changed.
    """
    bound = Instance(
        version_id,
        slot,
        instance_id=spare.instance_id,
        app=app,
        state=InstanceState.READY.value,
        phase=Phase.APP.value,
        secret=spare.secret,
        seats={session_id: lease},
        capacity=capacity,
        size=spare.size,
        above=above.text,
        above_number=above.number,
        address=spare.address,
        token=spare.token,
        token_order=spare.token_order,
        task=spare.task,
        was_spare=str(spare.ref),
        claimed_at=now,
        ready_at=now,
    )
    if seen is None:
        as_seen: Condition = Instance.version_id.does_not_exist()
    else:
        as_seen = (Instance.instance_id == seen.instance_id) & (Instance.state == seen.state)
    free = (
        (Instance.instance_id == spare.instance_id)
        & (Instance.state == InstanceState.READY.value)
        & Instance.bound_to.does_not_exist()
    )
    both_rows = Together()
    both_rows.update(
        Instance(spare.version_id, spare.slot),
        actions=[Instance.bound_to.set(str(bound.ref))],
        condition=free,
    )
    both_rows.save(bound, condition=as_seen)
    return bound if both_rows.write_if() else None


def rows_of(ref: InstanceRef) -> list[InstanceRef]:
    """Return the rows of an instance that its state machine, task or agent knows as ``ref``.

    The row that counts comes first. A bound spare has two rows, the app's and its own. Any other
    instance has one.
    """
    if not is_spare(ref.version_id):
        return [ref]
    row = store.get(ref)
    return [InstanceRef.parse(row.bound_to), ref] if row is not None and row.bound_to else [ref]


def both(instance: Instance) -> list[InstanceRef]:
    """Return the rows of an instance, like :func:`rows_of`, from a row that was already read."""
    if instance.was_spare:
        return [instance.ref, InstanceRef.parse(instance.was_spare)]
    return (
        [InstanceRef.parse(instance.bound_to), instance.ref]
        if instance.bound_to
        else [instance.ref]
    )


def forget(spare: Instance) -> None:
    """Delete the row of a spare if it has stopped.

    Unlike an app's slots, a spare's slot is never used again, and the pool is read as a whole.
    """
    Instance(spare.version_id, spare.slot).delete_if(Instance.state == InstanceState.STOPPED.value)


def retire(spare: Instance, now: float) -> bool:
    """Move a surplus spare READY → DRAINING; return False if an app took it first."""
    free = (
        (Instance.instance_id == spare.instance_id)
        & (Instance.state == InstanceState.READY.value)
        & Instance.bound_to.does_not_exist()
    )
    return Instance(spare.version_id, spare.slot).update_if(
        free,
        [Instance.state.set(InstanceState.DRAINING.value), Instance.draining_at.set(now)],
    )
