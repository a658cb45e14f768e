"""The table of syncs' definitions."""

from collections.abc import Mapping, Sequence
from typing import Any

from pynamodb.attributes import NumberAttribute

from chalicelib.schedules import Schedule
from chalicelib.syncs import access
from chalicelib.syncs.definition import EVERYTHING, SyncDefinition
from chalicelib.syncs.errors import NoSuchSync
from chalicelib.syncs.model import Sync
from chalicelib.unix_ids import store as unix_ids

_WHAT = ("bucket", "prefix", "include", "exclude", "urgent")
"""Settings that select the files; when one changes, the folder may no longer be complete."""


def find(name: str) -> Sync:
    """Read one sync; raise :class:`NoSuchSync` if there is none."""
    row = _get(name)
    if row is None:
        raise NoSuchSync(
            f'there is no sync "{name}"; `sheen syncs` lists them, `sheen sync define '
            f"{name}` makes one"
        )
    return row


def everything() -> list[Sync]:
    """Read all syncs, sorted by name."""
    return sorted(Sync.scan(consistent_read=True), key=lambda row: row.name)


def define(
    name: str, changes: Mapping[str, Any], own_bucket: str, now: float, others: Sequence[str] = ()
) -> SyncDefinition:
    """Make a sync or change its settings; None resets a setting to its default.

    ``others`` are the other buckets that may be read, as in
    :class:`chalicelib.configuration.deployment.Settings`. A sync is due at once if it is new or if
    its selection of files or its schedule has changed. Raise :class:`BadSync` without changing
    anything if the definition is invalid.
    """
    while True:
        row = _get(name)
        before = dict(row.settings) if row is not None else {}
        wanted = {key: value for key, value in {**before, **changes}.items() if value is not None}
        definition = SyncDefinition.parse(name, wanted, own_bucket)
        definition.check_readable(own_bucket, others)
        access.check_sync(definition)
        kept = {key: definition.settings()[key] for key in wanted}
        changed = {key for key in (*before, *kept) if before.get(key) != kept.get(key)}
        actions: list[Any] = [Sync.settings.set(kept), Sync.updated_at.set(now)]
        if row is None:
            read_gid, write_gid = (unix_ids.draw(f"sync {name}", now) for _ in range(2))
            actions += [
                Sync.read_gid.set(read_gid),
                Sync.write_gid.set(write_gid),
                Sync.created_at.set(now),
            ]
        if changed.intersection(_WHAT):
            actions += [Sync.transferred_at.remove(), Sync.copied_at.remove()]
        if Schedule.parse(definition.schedule).next_after(now) is None:
            actions.append(Sync.due_at.remove())
        elif row is None or row.due_at is None or changed.intersection((*_WHAT, "schedule")):
            actions.append(Sync.due_at.set(now))
        as_read = (
            Sync.updated_at == row.updated_at if row is not None else Sync.name.does_not_exist()
        )
        if (row or Sync(name)).update_if(as_read, actions):
            return definition


def _get(name: str) -> Sync | None:
    try:
        return Sync.get(name, consistent_read=True)
    except Sync.DoesNotExist:
        return None


def due(row: Sync, definition: SyncDefinition, now: float) -> bool:
    """Return whether the sync is due, and set its next time.

    If several callers ask at once, only one gets True.
    """
    if row.due_at is None or row.due_at > now:
        return False
    schedule = Schedule.parse(definition.schedule)
    following = schedule.next_after(row.due_at) if schedule.period else schedule.next_after(now)
    if following is not None and following <= now:
        following = schedule.next_after(now)  # times were missed
    actions = [Sync.due_at.set(following) if following is not None else Sync.due_at.remove()]
    return update(row, actions, Sync.due_at == row.due_at)


def data_as_of(row: Sync, definition: SyncDefinition) -> float | None:
    """Return the time as of which all files are there, or None if there is no such time yet."""
    times = []
    if definition.urgent != EVERYTHING:
        times.append(row.transferred_at)
    if definition.urgent:
        times.append(row.copied_at)
    return None if None in times else float(min(times))


def update(row: Sync, actions: list[Any], condition: Any = None) -> bool:
    """Change a row that still exists; return whether the condition held."""
    there = Sync.name.exists()
    return row.update_if(there & condition if condition is not None else there, actions)


def is_as_of(row: Sync, way_at: NumberAttribute, time: float | None) -> None:
    """Record the time as of which all files of one way are there.

    A time before the definition last changed is ignored: it does not apply to the new definition.
    """
    if time is not None:
        update(row, [way_at.set(time)], Sync.updated_at <= time)


def remove(name: str) -> None:
    """Remove a definition; its folder on EFS and its runs remain."""
    find(name).delete()
