"""The table of runs: what became of each."""

from collections.abc import Iterable, Mapping
from typing import Any

from pynamodb.exceptions import UpdateError

from chalicelib.aws.tables import refused
from chalicelib.syncs import requests
from chalicelib.syncs.model import RunStatus, SyncRequest, SyncRun, Way

FAILURES_TOLD = 20
"""Files that a run's row names of those that failed."""
COUNTS = ("files_seen", "bytes_seen", "files_copied", "bytes_copied", "files_skipped", "files_deleted", "files_failed")


def begin(sync: str, way: Way, run_id: str, now: float) -> SyncRun:
    """Record that a run has begun, and return its row as it is now: a step may be repeated (FACTS H4)."""
    row = SyncRun(sync, run_id, way=str(way), status=RunStatus.RUNNING, started_at=now, message="Starting.")
    try:
        row.update(
            actions=[
                SyncRun.way.set(str(way)),
                SyncRun.status.set(RunStatus.RUNNING),
                SyncRun.started_at.set(now),
                SyncRun.message.set(row.message),
            ],
            condition=SyncRun.sync.does_not_exist(),
        )
    except UpdateError as error:
        if not refused(error):
            raise
        row.refresh(consistent_read=True)
    return row


def of(sync: str, limit: int = 20) -> list[SyncRun]:
    """Read a sync's last runs, the newest first."""
    return list(SyncRun.query(sync, scan_index_forward=False, limit=limit, consistent_read=True))


def since(sync: str, run_id: str) -> Iterable[SyncRun]:
    """Read the runs from one on, or from a time that a run's id could begin with."""
    return SyncRun.query(sync, SyncRun.run_id >= run_id, consistent_read=True)


def find(sync: str, run_id: str) -> SyncRun | None:
    """Read one."""
    try:
        return SyncRun.get(sync, run_id, consistent_read=True)
    except SyncRun.DoesNotExist:
        return None


def change(row: SyncRun, actions: list[Any]) -> bool:
    """Change a run that has not ended; return whether it has not."""
    try:
        row.update(actions=actions, condition=SyncRun.status == RunStatus.RUNNING)
    except UpdateError as error:
        if refused(error):
            return False
        raise
    return True


def tell(row: SyncRun, message: str) -> None:
    """Say what happens now."""
    change(row, [SyncRun.message.set(message)])


def note(run: SyncRun, rows: list[SyncRequest], message: str, *, counted: bool = True) -> None:
    """Write into the run's row what it is about; ``counted``: and how many single files that is."""
    triggers = {part for part in run.trigger.split(",") if part} | {row.trigger for row in rows if row.trigger}
    actions: list[Any] = [
        SyncRun.message.set(message),
        SyncRun.trigger.set(",".join(sorted(triggers))),
        SyncRun.keys.add(sum(counted and not requests.is_prefix(row) for row in rows)),
    ]
    if stamps := {stamp for row in rows for stamp in row.stamps or ()}:
        actions.append(SyncRun.stamps.add(stamps))
    change(run, actions)


def add(row: SyncRun, step: str, counts: Mapping[str, int], failures: Iterable[tuple[str, str]] = (), attempt: int = 0) -> bool:
    """Add what a step of the run has done, once; return whether it was not added before.

    ``attempt``: how often what comes next has been tried; a step that went well makes a new start.
    """
    row.refresh(consistent_read=True)
    if step in row.steps:
        return False
    told = [*row.failures, *([path, why] for path, why in failures)][:FAILURES_TOLD]
    actions = [getattr(SyncRun, name).add(int(counts[name])) for name in COUNTS if counts.get(name)]
    return change(row, [*actions, SyncRun.failures.set(told), SyncRun.steps.set([*row.steps, step]), SyncRun.attempt.set(attempt)])


def has_changed(run: SyncRun) -> bool:
    """Whether a run has changed what apps see."""
    return bool(run.files_copied + run.files_deleted)


def end(row: SyncRun, status: RunStatus, message: str, now: float) -> bool:
    """Record the outcome, once; return whether it was not recorded before."""
    return change(row, [SyncRun.status.set(status), SyncRun.message.set(message), SyncRun.ended_at.set(now), SyncRun.token.remove()])
