"""How a run ends: its requests are forgotten, its outcome takes effect. Outside the VPC.

Apps restart, people learn of failures, and the next run may start. Each of these steps may be
repeated. What follows from a run is done before its row says that it has ended: doing it twice is
better than never.
"""

from chalicelib.configuration.deployment import Settings
from chalicelib.syncs import consequences, requests, runs
from chalicelib.syncs.model import RunStatus, SyncRequest, SyncRun, Way


def finish(run: SyncRun, settings: Settings, now: float) -> None:
    """End a run that ran to completion; some of its files may have failed."""
    failed = int(run.files_failed)
    status, message = (
        (RunStatus.PARTIAL, f"{failed} files failed.") if failed else (RunStatus.SUCCEEDED, "Done.")
    )
    if failed:
        consequences.tell_failure(run, status, message, settings.topic)
    _restart_readers(run, settings)
    runs.end(run, status, message, now)
    hand_over(run, settings, now)


def give_up(run: SyncRun, message: str, settings: Settings, now: float) -> None:
    """End a failed run and forget its requests; the next scheduled run covers them too."""
    forget(run, now)
    _restart_readers(run, settings)  # some files may have arrived nevertheless
    consequences.tell_failure(run, RunStatus.FAILED, message, settings.topic)
    runs.end(run, RunStatus.FAILED, message, now)
    hand_over(run, settings, now)


def drop(run: SyncRun, message: str, settings: Settings, now: float) -> None:
    """End a run whose sync has been removed or has an invalid definition.

    No run follows, since none could serve the requests.
    """
    _forget(run, requests.pending(run.sync, Way(run.way), None))
    consequences.tell_failure(run, RunStatus.FAILED, message, settings.topic)
    runs.end(run, RunStatus.FAILED, message, now)
    requests.give_back(run.sync, Way(run.way), run.run_id)


def forget(run: SyncRun, now: float) -> None:
    """Forget a run's requests, including those that it did not take.

    Later requests are left to the next run. For a copy these are requests after ``now``, for a
    transfer those after the run's start.
    """
    left = requests.pending(run.sync, Way(run.way), None)
    since = now if run.way == Way.COPY else run.started_at
    _forget(run, [each for each in left if each.run_id == run.run_id or each.asked_at <= since])


def _forget(run: SyncRun, rows: list[SyncRequest]) -> None:
    if others := [each for each in rows if each.run_id != run.run_id]:
        runs.note(run, others, run.message)  # a caller that waits for them finds this run
    requests.done(rows)


def hand_over(run: SyncRun, settings: Settings, now: float) -> None:
    """Give the lease back, and start a run if there are new requests."""
    requests.give_back(run.sync, Way(run.way), run.run_id)
    if requests.pending(run.sync, Way(run.way), 1):
        requests.start(run.sync, Way(run.way), settings.sync_state_machine, now)


def _restart_readers(run: SyncRun, settings: Settings) -> None:
    if runs.has_changed(run):
        consequences.restart_readers(run.sync, settings.function_name(consequences.RESTARTER))
