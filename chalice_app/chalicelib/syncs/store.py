"""The table of definitions."""

import secrets
from collections.abc import Mapping
from typing import Any

from pynamodb.exceptions import UpdateError

from chalicelib.apps.store import UNIX_IDS
from chalicelib.syncs.definition import EVERYTHING, SyncDefinition
from chalicelib.syncs.errors import NoSuchSync
from chalicelib.syncs.model import Sync
from chalicelib.syncs.schedule import Schedule

REFUSED = "ConditionalCheckFailedException"


def find(name: str) -> Sync:
    """Read one; raise :class:`NoSuchSync`."""
    try:
        return Sync.get(name, consistent_read=True)
    except Sync.DoesNotExist:
        raise NoSuchSync(f'there is no sync "{name}"; `sheen syncs` lists them, `sheen sync define {name}` makes one') from None


def everything() -> list[Sync]:
    """Read all, by name."""
    return sorted(Sync.scan(consistent_read=True), key=lambda row: row.name)


def define(name: str, changes: Mapping[str, Any], own_bucket: str, now: float) -> SyncDefinition:
    """Make a sync, or change the settings of one; a value of None goes back to the default.

    Raise :class:`BadSync`; then nothing has changed. A new one, or one with a new schedule, is due at once.
    """
    try:
        row = Sync.get(name, consistent_read=True)
    except Sync.DoesNotExist:
        row = Sync(
            name,
            settings={},
            read_gid=_new_group(),
            write_gid=_new_group(),
            created_at=now,
            updated_at=now,
        )
    before = dict(row.settings)
    wanted = {key: value for key, value in {**before, **changes}.items() if value is not None}
    definition = SyncDefinition.parse(name, wanted, own_bucket)
    schedule = Schedule.parse(definition.schedule)
    if schedule.next_after(now) is None:
        row.due_at = None
    elif row.due_at is None or before.get("schedule") != wanted.get("schedule"):
        row.due_at = now
    row.settings = {key: definition.settings()[key] for key in wanted}
    row.updated_at = now
    row.save()
    return definition


def _new_group() -> int:
    return UNIX_IDS.start + secrets.randbelow(len(UNIX_IDS))


def due(row: Sync, definition: SyncDefinition, now: float) -> bool:
    """Whether the schedule's time has come; of several who ask at once one is told so. Sets the next time."""
    if row.due_at is None or row.due_at > now:
        return False
    schedule = Schedule.parse(definition.schedule)
    following = schedule.next_after(row.due_at) if schedule.period else schedule.next_after(now)
    if following is not None and following <= now:
        following = schedule.next_after(now)  # times were missed
    actions = [Sync.due_at.set(following) if following is not None else Sync.due_at.remove()]
    return update(row, actions, Sync.due_at == row.due_at)


def data_as_of(row: Sync, definition: SyncDefinition) -> float | None:
    """Return the time as of which everything is there; None when there is no such time yet."""
    times = []
    if definition.urgent != EVERYTHING:
        times.append(row.transferred_at)
    if definition.urgent:
        times.append(row.copied_at)
    return None if None in times else float(min(times))


def update(row: Sync, actions: list[Any], condition: Any = None) -> bool:
    """Change a row that is still there; return whether the condition held."""
    there = Sync.name.exists()
    try:
        row.update(actions=actions, condition=there & condition if condition is not None else there)
    except UpdateError as error:
        if error.cause_response_code == REFUSED:
            return False
        raise
    return True


def remove(name: str) -> None:
    """Forget a definition; its folder on EFS and its runs stay."""
    find(name).delete()
