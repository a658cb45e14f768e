"""The table of runs and their outcomes."""

from collections.abc import Iterable, Mapping
from typing import Any

from chalicelib.syncs import requests
from chalicelib.syncs.model import RunStatus, SyncRequest, SyncRun, Way

FAILURES_TOLD = 20
"""The most failed files that a run's row names."""
COUNTS = (
    "files_seen",
    "bytes_seen",
    "files_copied",
    "bytes_copied",
    "files_skipped",
    "files_deleted",
    "files_failed",
)


def begin(sync: str, way: Way, run_id: str, now: float) -> SyncRun:
    """Record that a run has begun and return its current row; may be repeated (FACTS H4)."""
    row = SyncRun(
        sync, run_id, way=str(way), status=RunStatus.RUNNING, started_at=now, message="Starting."
    )
    begun = row.update_if(
        SyncRun.sync.does_not_exist(),
        [
            SyncRun.way.set(str(way)),
            SyncRun.status.set(RunStatus.RUNNING),
            SyncRun.started_at.set(now),
            SyncRun.message.set(row.message),
        ],
    )
    if not begun:
        row.refresh(consistent_read=True)
    return row


def of(sync: str, limit: int = 20) -> list[SyncRun]:
    """Read a sync's latest runs, newest first."""
    return list(SyncRun.query(sync, scan_index_forward=False, limit=limit, consistent_read=True))


def since(sync: str, run_id: str) -> Iterable[SyncRun]:
    """Read the runs from a given id on; ``run_id`` may also be a time in the format of ids."""
    return SyncRun.query(sync, SyncRun.run_id >= run_id, consistent_read=True)


def find(sync: str, run_id: str) -> SyncRun | None:
    """Read one run, or return None."""
    try:
        return SyncRun.get(sync, run_id, consistent_read=True)
    except SyncRun.DoesNotExist:
        return None


def change(row: SyncRun, actions: list[Any]) -> bool:
    """Change a run that has not ended; return False if it has ended."""
    return row.update_if(SyncRun.status == RunStatus.RUNNING, actions)


def tell(row: SyncRun, message: str) -> None:
    """Set the message that says what happens now."""
    change(row, [SyncRun.message.set(message)])


def note(run: SyncRun, rows: list[SyncRequest], message: str, *, counted: bool = True) -> None:
    """Record in the run's row which requests it serves.

    With ``counted``, also add the number of single files.
    """
    triggers = {part for part in run.trigger.split(",") if part} | {
        row.trigger for row in rows if row.trigger
    }
    actions: list[Any] = [
        SyncRun.message.set(message),
        SyncRun.trigger.set(",".join(sorted(triggers))),
        SyncRun.keys.add(sum(counted and not requests.is_prefix(row) for row in rows)),
    ]
    if stamps := {stamp for row in rows for stamp in row.stamps or ()}:
        actions.append(SyncRun.stamps.add(stamps))
    change(run, actions)


def add(
    row: SyncRun,
    step: str,
    counts: Mapping[str, int],
    failures: Iterable[tuple[str, str]] = (),
    attempt: int = 0,
) -> bool:
    """Add the results of a step once; return False if they were added before or the run has ended.

    ``attempt`` is how often the next step has been tried; a successful step resets it to 0.
    """
    row.refresh(consistent_read=True)
    if step in row.steps:
        return False
    told = [*row.failures, *([path, why] for path, why in failures)][:FAILURES_TOLD]
    actions = [getattr(SyncRun, name).add(int(counts[name])) for name in COUNTS if counts.get(name)]
    return change(
        row,
        [
            *actions,
            SyncRun.failures.set(told),
            SyncRun.steps.set([*row.steps, step]),
            SyncRun.attempt.set(attempt),
        ],
    )


def has_changed(run: SyncRun) -> bool:
    """Return whether a run has changed files that apps see."""
    return bool(run.files_copied + run.files_deleted)


def end(row: SyncRun, status: RunStatus, message: str, now: float) -> bool:
    """Record the outcome once; return False if it was recorded before."""
    return change(
        row,
        [
            SyncRun.status.set(status),
            SyncRun.message.set(message),
            SyncRun.ended_at.set(now),
            SyncRun.token.remove(),
        ],
    )
