"""How a run ends: what it was asked is forgotten, apps and people learn of it, and the next one may start. Outside the VPC.

Each of these may be repeated, and what follows from a run is done before its row says that it has ended: twice is better than never.
"""

from chalicelib.configuration.deployment import Settings
from chalicelib.syncs import consequences, requests, runs
from chalicelib.syncs.model import RunStatus, SyncRequest, SyncRun, Way


def finish(run: SyncRun, way: Way, settings: Settings, now: float) -> None:
    """End a run that has come to its end, be it without some files."""
    failed = int(run.files_failed)
    status, message = (RunStatus.PARTIAL, f"{failed} files failed.") if failed else (RunStatus.SUCCEEDED, "Done.")
    if failed:
        consequences.tell_failure(run, status, message, settings.topic)
    _restart_readers(run, settings)
    runs.end(run, status, message, now)
    hand_over(run, way, settings, now)


def give_up(run: SyncRun, way: Way, message: str, settings: Settings, now: float) -> None:
    """End a run that failed, and forget what it was asked: the next run by schedule brings it too."""
    forget(run, way, now)
    _restart_readers(run, settings)  # some files have come all the same
    consequences.tell_failure(run, RunStatus.FAILED, message, settings.topic)
    runs.end(run, RunStatus.FAILED, message, now)
    hand_over(run, way, settings, now)


def drop(run: SyncRun, way: Way, message: str, settings: Settings, now: float) -> None:
    """End a run of a sync that is not there any more, or makes no sense: no further run could do what is asked, so none follows."""
    _forget(run, requests.pending(run.sync, way, None))
    consequences.tell_failure(run, RunStatus.FAILED, message, settings.topic)
    runs.end(run, RunStatus.FAILED, message, now)
    requests.give_back(run.sync, way, run.run_id)


def forget(run: SyncRun, way: Way, now: float) -> None:
    """Forget what a run was asked, whether or not it came to take it; what was asked since is the next run's."""
    left = requests.pending(run.sync, way, None)
    since = now if way is Way.COPY else run.started_at
    _forget(run, [each for each in left if each.run_id == run.run_id or each.asked_at <= since])


def _forget(run: SyncRun, rows: list[SyncRequest]) -> None:
    if others := [each for each in rows if each.run_id != run.run_id]:
        runs.note(run, others, run.message)  # who waits for them finds that this is the run
    requests.done(rows)


def hand_over(run: SyncRun, way: Way, settings: Settings, now: float) -> None:
    """Give the lease back, and start a run of what was asked meanwhile."""
    requests.give_back(run.sync, way, run.run_id)
    if requests.pending(run.sync, way, 1):
        requests.start(run.sync, way, settings.sync_state_machine, now)


def _restart_readers(run: SyncRun, settings: Settings) -> None:
    if runs.has_changed(run):
        consequences.restart_readers(run.sync, settings.function_name(consequences.RESTARTER))
