"""Requests for a sync: by invocation, by schedule, or by a written object. Outside the VPC."""

import time
from collections.abc import Callable, Mapping
from typing import Any

from botocore.exceptions import ClientError

from chalicelib.aws import clients, task_tokens
from chalicelib.clock import Clock
from chalicelib.configuration.deployment import Settings
from chalicelib.failures import Failure
from chalicelib.syncs import consequences, decision, ends, keys, requests, runs, store, transfers
from chalicelib.syncs.errors import BadSync
from chalicelib.syncs.model import RunStatus, Sync, SyncRun, Way
from chalicelib.telemetry import logger

LOST_AFTER = 120.0
"""Seconds after which a tick checks whether a run's execution was started and still runs."""
POLL = 0.5


def on_demand(
    event: Mapping[str, Any],
    settings: Settings,
    clock: Clock,
    remaining_ms: Callable[[], int],
) -> dict[str, Any]:
    """Request a sync: ``{"sync": NAME, "prefix": "…", "wait": true}``, the last two optional.

    Return ``sync``, ``status``, ``stamps`` and, if the caller waits, ``runs``. ``stamps`` holds a
    stamp for each way; the run that answers the request has the same stamp. Raise
    :class:`chalicelib.syncs.errors.NoSuchSync` or :class:`BadSync`.
    """
    unknown = event.keys() - {"sync", "prefix", "wait"}
    if (
        unknown
        or not isinstance(event.get("sync"), str)
        or not isinstance(event.get("prefix", ""), str)
    ):
        raise BadSync(
            f'the payload is {dict(event)}; it is {{"sync": NAME}}, with "prefix" and '
            '"wait" if wanted'
        )
    row = store.find(event["sync"])
    definition = row.definition(settings.bucket)
    stamps = requests.ask_for_prefix(definition, event.get("prefix", ""), "asked", clock())
    for way in stamps:
        requests.start(definition.name, way, settings.sync_state_machine, clock())
    answer: dict[str, Any] = {
        "sync": definition.name,
        "status": "asked",
        "stamps": {str(way): stamp for way, stamp in stamps.items()},
    }
    if not event.get("wait"):
        return answer
    while remaining_ms() > 5000:
        found = [answering(definition.name, stamp) for stamp in stamps.values()]
        if all(run is not None and run.status != RunStatus.RUNNING for run in found):
            ended = [run for run in found if run is not None]
            worst = next(
                (
                    s
                    for s in (RunStatus.FAILED, RunStatus.PARTIAL)
                    if any(run.status == s for run in ended)
                ),
                RunStatus.SUCCEEDED,
            )
            return {**answer, "status": str(worst), "runs": [as_document(run) for run in ended]}
        time.sleep(POLL)
    return {**answer, "status": "running"}


def answering(sync: str, stamp: str) -> SyncRun | None:
    """Return the run that answers a request, or None if no run has taken it yet."""
    return next(
        (run for run in runs.since(sync, stamp.partition("/")[0]) if stamp in (run.stamps or ())),
        None,
    )


def as_document(run: SyncRun) -> dict[str, Any]:
    """Return a run's row as a JSON document."""
    return {
        "run": run.run_id,
        "way": run.way,
        "status": run.status,
        "trigger": run.trigger,
        "message": run.message,
        "seconds": round(float(run.ended_at or run.started_at) - float(run.started_at), 3),
        **{name: int(getattr(run, name)) for name in runs.COUNTS},
        "failures": run.failures,
    }


def on_object(event: Mapping[str, Any], settings: Settings, now: float) -> int:
    """Request a copy of a written object, in each sync that treats it as urgent.

    Return the number of those syncs. A sync with an invalid definition does not stop the others.
    """
    written = keys.written(event)
    count = 0
    for row in store.everything():
        try:
            definition = row.definition(settings.bucket)
        except BadSync:
            logger.exception("object written", extra={"sync": row.name})
            continue
        relative = definition.relative(written.bucket, written.key)
        if relative is not None and definition.is_urgent(relative) and definition.wants(relative):
            way = requests.ask_for_object(definition, relative, written.size, now)
            requests.start(definition.name, way, settings.sync_state_machine, now)
            count += 1
    return count


def tick(settings: Settings, now: float) -> None:
    """Request the syncs that are due and look after running ones, every few minutes.

    A failure in one sync does not affect the others.
    """
    for row in store.everything():
        try:
            _tick(row, settings, now)
        except (BadSync, ClientError):
            logger.exception("tick", extra={"sync": row.name})


def _tick(row: Sync, settings: Settings, now: float) -> None:
    definition = row.definition(settings.bucket)
    if store.due(row, definition, now):
        requests.ask_for_prefix(definition, "", "schedule", now)
    for way in Way:
        lease = requests.lease(row.name, way)
        if lease is not None:
            _see_after(row, way, str(lease.run_id), float(lease.asked_at), settings, now)
        if requests.pending(row.name, way, 1):
            requests.start(row.name, way, settings.sync_state_machine, now)


def _see_after(
    row: Sync, way: Way, run_id: str, since: float, settings: Settings, now: float
) -> None:
    """Recover a run that is stuck.

    Its execution may never have started or may be gone, DataSync's event may be lost, or DataSync
    may hang.
    """
    definition = row.definition(settings.bucket)
    if now - since > LOST_AFTER:
        execution = _execution(row.name, run_id, settings)
        if execution is None:
            requests.begin(row.name, way, run_id, settings.sync_state_machine)
            return
        if execution["status"] != "RUNNING":
            _give_up(runs.begin(row.name, way, run_id, since), _why_ended(execution), settings, now)
            return
    found = runs.find(row.name, run_id)
    if found is None or not found.execution or not found.token:
        return
    described = transfers.look(found.execution)
    if transfers.answer(found, described):
        return
    progress = transfers.progress(described)
    if progress != found.progress:
        runs.change(found, [SyncRun.progress.set(progress), SyncRun.progress_at.set(now)])
    elif now - float(found.progress_at or now) >= definition.stall_timeout:
        message = (
            f"DataSync made no progress for {definition.stall_timeout:.0f} s "
            f"({described['Status']}); it was stopped"
        )
        task_tokens.fail(str(found.token), Failure.STALLED, transfers.failure(message, described))


def _give_up(run: SyncRun, why: str, settings: Settings, now: float) -> None:
    """End a run that does not end by itself.

    The run ends before its failure is reported, because the report may be what fails.
    """
    if run.status == RunStatus.RUNNING:
        ends.forget(run, now)
        runs.end(run, RunStatus.FAILED, why, now)
        consequences.tell_failure(run, RunStatus.FAILED, why, settings.topic)
    requests.give_back(run.sync, Way(run.way), run.run_id)


def _execution(sync: str, run_id: str, settings: Settings) -> dict[str, Any] | None:
    """Return the execution of a run, or None if it was never started."""
    arn = settings.sync_state_machine.replace(":stateMachine:", ":execution:")
    try:
        name = requests.execution_name(sync, run_id)
        found: dict[str, Any] = clients.client("stepfunctions").describe_execution(
            executionArn=f"{arn}:{name}"
        )
    except ClientError as error:
        if error.response["Error"]["Code"] == "ExecutionDoesNotExist":
            return None
        raise
    return found


def _why_ended(execution: Mapping[str, Any]) -> str:
    why = decision.reason(
        {
            "Error": execution.get("error", "it does not say why"),
            "Cause": execution.get("cause", ""),
        }
    )
    return f"Its state machine ended ({execution['status'].lower()}): {why}"
