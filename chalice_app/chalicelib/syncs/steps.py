"""The steps of the state machine of a run. Each may run more than once (FACTS H4). Outside the VPC.

The machine asks :func:`step` what to do, does that, and asks again with what came of it, until there is nothing more.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any, NotRequired, TypedDict

from chalicelib.settings import Settings
from chalicelib.syncs import consequences, requests, runs, store, transfers
from chalicelib.syncs.definition import SyncDefinition
from chalicelib.syncs.errors import BadSync, NoSuchSync
from chalicelib.syncs.keys import chunks
from chalicelib.syncs.model import RunStatus, Sync, SyncRequest, SyncRun, Way
from chalicelib.telemetry import logger

FIRST_PAUSE = 20
"""Seconds until the first repeat of what failed; each further is three times as long."""
LONGEST_PAUSE = 1800


class Order(TypedDict):
    """What the state machine shall do."""

    do: str
    """``work``, ``transfer``, ``wait``, ``end`` or ``fail``."""
    id: NotRequired[str]
    """Of this step; what it did is counted once."""
    work: NotRequired[str]
    """What a task of ours does: ``prepare``, ``copy`` or ``apps``; see :mod:`tasks.copy`."""
    transfer: NotRequired[transfers.Transfer]
    seconds: NotRequired[int]


def step(event: Mapping[str, Any], settings: Settings, clock: Callable[[], float]) -> Order:
    """``event``: ``sync``, ``way``, ``run``; of the step before ``order`` and ``did`` (its counts), or ``error``."""
    now = clock()
    way = Way(event["way"])
    run = runs.begin(event["sync"], way, event["run"], now)
    if run.status != RunStatus.RUNNING:
        _hand_over(run, way, settings, now)
        return {"do": "end" if run.status != RunStatus.FAILED else "fail"}
    try:
        row = store.find(event["sync"])
        definition = row.definition(settings.bucket)
    except (NoSuchSync, BadSync) as error:
        return _give_up(run, way, str(error), settings, now)
    order: Mapping[str, Any] = event.get("order") or {}
    if event.get("error"):
        return _again(run, way, definition, event["error"], settings, now)
    if event.get("did") is not None and order.get("id"):
        _did(row, definition, run, way, order, event["did"], settings)
    return _next(row, definition, run, way, settings, now)


def _next(row: Sync, definition: SyncDefinition, run: SyncRun, way: Way, settings: Settings, now: float) -> Order:
    number = f"{len(run.steps)}.{int(run.attempt)}"
    if way is Way.TRANSFER and not row.folder_ready:
        runs.tell(run, "Making the folder.")
        return {"do": "work", "work": "prepare", "id": f"prepare-{number}"}
    rows = requests.pending(definition.name, way, None if way is Way.TRANSFER else 1)
    if rows and way is Way.COPY:
        runs.note(run, rows, "Getting a machine to copy urgent files.")
        return {"do": "work", "work": "copy", "id": f"copy-{number}"}
    if rows:
        return _transfer(row, definition, run, rows, settings, number)
    if definition.publish and run.files_copied + run.files_deleted and "apps" not in run.steps:
        runs.tell(run, "Publishing the apps that have changed.")
        return {"do": "work", "work": "apps", "id": "apps"}
    return _finish(definition, run, way, settings, now)


def _transfer(row: Sync, definition: SyncDefinition, run: SyncRun, rows: list[SyncRequest], settings: Settings, number: str) -> Order:
    prefixes = [each for each in rows if requests.is_prefix(each)]
    task = transfers.ensure_task(row, definition, settings)
    if prefixes:
        taken = requests.take(prefixes, run.run_id)
        order = transfers.of_prefixes(definition, task, [each.target for each in taken])
    else:
        few = {each.target: each for each in rows[: requests.MOST_TAKEN]}
        taken = requests.take([few[target] for target in next(chunks(few))], run.run_id)
        order = transfers.of_keys(definition, task, [each.target for each in taken])
    runs.note(run, taken, "DataSync compares and copies.")
    return {"do": "transfer", "transfer": order, "id": f"transfer-{number}"}


def _did(
    row: Sync, definition: SyncDefinition, run: SyncRun, way: Way, order: Mapping[str, Any], did: Mapping[str, Any], settings: Settings
) -> None:
    """Record what a step has done."""
    fresh = runs.add(run, order["id"], did.get("counts") or {}, did.get("failures") or ())
    if order.get("work") == "prepare":
        store.update(row, [Sync.folder_ready.set(True)])
    if order.get("work") == "apps" and fresh:
        consequences.restart(did.get("restart") or (), settings.function_name(consequences.RESTARTER))
    if way is Way.TRANSFER and order["do"] == "transfer":
        taken = [each for each in requests.pending(definition.name, way, None) if each.run_id == run.run_id]
        requests.done(taken)
        whole = requests.ways_of(definition, "").get(way)
        covering = [each.asked_at for each in taken if requests.is_prefix(each) and each.target == whole]
        if covering:
            store.update(row, [Sync.transferred_at.set(max(covering))])


def _again(run: SyncRun, way: Way, definition: SyncDefinition, error: Mapping[str, Any], settings: Settings, now: float) -> Order:
    """After a failure: once more after a pause, or not."""
    message = reason(error)
    if run.attempt >= definition.retries:
        return _give_up(run, way, message, settings, now)
    pause = min(FIRST_PAUSE * 3 ** int(run.attempt), LONGEST_PAUSE)
    runs.change(run, [SyncRun.attempt.add(1), SyncRun.message.set(f"{message} Again in {pause} s.")])
    return {"do": "wait", "seconds": pause}


def _give_up(run: SyncRun, way: Way, message: str, settings: Settings, now: float) -> Order:
    """End a run that failed; what it was asked is forgotten, as the next run by schedule brings it too."""
    left = requests.pending(run.sync, way, None)
    requests.done(each for each in left if each.asked_at <= now and (way is Way.COPY or each.run_id == run.run_id))
    if runs.end(run, RunStatus.FAILED, message, now):
        consequences.tell_failure(run, settings.topic)
    _hand_over(run, way, settings, now)
    return {"do": "fail"}


def _finish(definition: SyncDefinition, run: SyncRun, way: Way, settings: Settings, now: float) -> Order:
    failed = int(run.files_failed)
    status = RunStatus.PARTIAL if failed else RunStatus.SUCCEEDED
    if runs.end(run, status, f"{failed} files failed." if failed else "Done.", now):
        if failed:
            consequences.tell_failure(run, settings.topic)
        if run.files_copied + run.files_deleted:
            consequences.restart_readers(definition.name, settings.function_name(consequences.RESTARTER))
    _hand_over(run, way, settings, now)
    return {"do": "end"}


def _hand_over(run: SyncRun, way: Way, settings: Settings, now: float) -> None:
    """Give the lease back, and start a run of what was asked meanwhile."""
    requests.give_back(run.sync, way, run.run_id)
    if requests.pending(run.sync, way, 1):
        requests.start(run.sync, way, settings.sync_state_machine, now)


def reason(error: Mapping[str, Any]) -> str:
    """Return the sentence for people of an error that the state machine caught. Pure."""
    name, cause = str(error.get("Error", "")), str(error.get("Cause", ""))
    try:
        found = json.loads(cause)
        cause = str(found.get("errorMessage", cause)) if isinstance(found, dict) else cause
    except ValueError:
        pass
    if name in ("States.Timeout", "States.HeartbeatTimeout"):
        return "It did not come to an end, or gave no sign of life, and was stopped."
    return (cause or name)[:1000].rstrip(".") + "."


def follow(event: Mapping[str, Any]) -> None:
    """An execution has started: its end answers the token. ``event``: ``sync``, ``run``, ``execution``, ``token``.

    It may have ended before anybody knew whom to tell.
    """
    run = runs.find(event["sync"], event["run"])
    if run is None:
        raise NoSuchSync(f"run {event['run']} of sync {event['sync']} has no row any more")
    runs.change(run, [SyncRun.execution.set(event["execution"]), SyncRun.token.set(event["token"]), SyncRun.progress.set(-1)])
    transfers.answer(run, transfers.look(event["execution"]))


def on_transfer_change(event: Mapping[str, Any]) -> None:
    """EventBridge: an execution of DataSync's has ended; answer who waits for it. ``event`` has ``resources``."""
    for execution in event.get("resources", ()):
        task = execution.partition("/execution/")[0]
        for row in store.everything():
            if row.task_arn != task:
                continue
            lease = requests.lease(row.name, Way.TRANSFER)
            run = runs.find(row.name, str(lease.run_id)) if lease is not None else None
            if run is not None and run.execution == execution:
                transfers.answer(run, transfers.look(execution))
                logger.info("transfer ended", extra={"sync": row.name, "run": run.run_id})
