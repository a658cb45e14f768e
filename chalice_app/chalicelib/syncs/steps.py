"""The steps of the state machine of a run. Each may run more than once (FACTS H4). Outside the VPC.

The machine asks :func:`step` what to do, does that, and asks again with what came of it, until there is nothing more.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any, NotRequired, TypedDict

from botocore.exceptions import ClientError

from chalicelib.configuration.deployment import Settings
from chalicelib.syncs import consequences, ends, requests, runs, store, transfers
from chalicelib.syncs.definition import SyncDefinition
from chalicelib.syncs.errors import BadSync, NoSuchSync
from chalicelib.syncs.keys import chunks
from chalicelib.syncs.model import RunStatus, Sync, SyncRequest, SyncRun, Way
from chalicelib.telemetry import logger

FIRST_PAUSE = 20
"""Seconds until the first repeat of what failed; each further is three times as long."""
LONGEST_PAUSE = 1800
APPS, COPY = "apps", "copy"


class Order(TypedDict):
    """What the state machine shall do."""

    do: str
    """``work``, ``transfer``, ``wait``, ``end`` or ``fail``."""
    id: NotRequired[str]
    """Of this step; what it did is counted once."""
    work: NotRequired[str]
    """``transfer``, or what a task of ours does: ``prepare``, ``copy`` or ``apps``; see :mod:`tasks.copy`."""
    transfer: NotRequired[transfers.Transfer]
    seconds: NotRequired[int]


def step(event: Mapping[str, Any], settings: Settings, clock: Callable[[], float]) -> Order:
    """``event``: ``sync``, ``way``, ``run``; of the step before ``order`` (``id`` and ``work``) and ``did`` (its counts), or ``error``."""
    now = clock()
    way = Way(event["way"])
    run = runs.begin(event["sync"], way, event["run"], now)
    if run.status != RunStatus.RUNNING:
        ends.hand_over(run, way, settings, now)
        return {"do": "end" if run.status != RunStatus.FAILED else "fail"}
    try:
        row = store.find(event["sync"])
        definition = row.definition(settings.bucket)
    except (NoSuchSync, BadSync) as error:
        ends.drop(run, way, str(error), settings, now)
        return {"do": "fail"}
    order: Mapping[str, Any] = event.get("order") or {}
    if event.get("error"):
        return _again(run, way, definition, order, event["error"], settings, now)
    if event.get("did") is not None and order.get("id"):
        _did(row, definition, run, way, order, event["did"], settings)
    return _next(row, definition, run, way, settings, now)


def _next(row: Sync, definition: SyncDefinition, run: SyncRun, way: Way, settings: Settings, now: float) -> Order:
    if run.gave_up:
        return _fail(run, way, run.gave_up, settings, now)
    number = f"{len(run.steps)}.{int(run.attempt)}"
    if way is Way.TRANSFER and not row.folder_ready:
        runs.tell(run, "Making the folder.")
        return {"do": "work", "work": "prepare", "id": f"prepare-{number}"}
    rows = requests.pending(definition.name, way, 1)
    if rows and way is Way.COPY and not _has_copied(run):
        runs.note(run, rows, "Getting a machine to copy urgent files.", counted=False)
        return {"do": "work", "work": COPY, "id": f"{COPY}-{number}"}
    if rows and way is Way.TRANSFER:
        try:
            task = transfers.ensure_task(row, definition, settings)
        except ClientError as error:  # of a bucket that may not be read, for one
            return _again(run, way, definition, {}, {"Error": type(error).__name__, "Cause": str(error)}, settings, now)
        if taken := _take(run):
            runs.note(run, taken, "DataSync compares and copies.")
            return {
                "do": "transfer",
                "work": "transfer",
                "transfer": _transfer(definition, task, taken, settings.sync_mode),
                "id": f"transfer-{number}",
            }
    if _has_apps(definition, run):
        runs.tell(run, "Publishing the apps that have changed.")
        return {"do": "work", "work": APPS, "id": APPS}
    ends.finish(run, way, settings, now)
    return {"do": "end"}


def _take(run: SyncRun) -> list[SyncRequest]:
    """Take requests that one transfer can bring; none when nothing is asked any more."""
    while rows := requests.pending(run.sync, Way.TRANSFER, None):
        few = {each.target: each for each in requests.of_one_kind(rows)}
        whole = few.pop("", None)
        taken = requests.take([whole] if whole else [few[target] for target in next(chunks(few))], run.run_id)
        if whole and taken:
            taken += requests.take(few.values(), run.run_id)
        if taken:  # else all were asked again between these two lines
            return taken
    return []


def _transfer(definition: SyncDefinition, task: str, taken: list[SyncRequest], mode: str) -> transfers.Transfer:
    made = transfers.of_prefixes if requests.is_prefix(taken[0]) else transfers.of_keys
    transfer = made(definition, task, [each.target for each in taken])
    return {**transfer, "options": transfers.in_mode(transfer["options"], mode)}


def _has_copied(run: SyncRun) -> bool:
    """Whether the run's task has done its work: what was asked since is the next run's, or one that is never left alone would never end."""
    return not run.attempt and any(step.startswith(COPY) for step in run.steps)


def _has_apps(definition: SyncDefinition, run: SyncRun) -> bool:
    return bool(definition.publish) and runs.has_changed(run) and APPS not in run.steps


def _did(
    row: Sync, definition: SyncDefinition, run: SyncRun, way: Way, order: Mapping[str, Any], did: Mapping[str, Any], settings: Settings
) -> None:
    """Record what a step has done, after all that follows from it: a repeat finds that recorded, or does it again."""
    if order["id"] in run.steps:
        return
    counts = did.get("counts") or {}
    if order["work"] == APPS:
        consequences.restart(did.get("restart") or (), settings.function_name(consequences.RESTARTER))
    if order["work"] == "prepare":
        store.update(row, [Sync.folder_ready.set(True)])
    if order["work"] == "transfer":
        taken = [each for each in requests.pending(definition.name, way, None) if each.run_id == run.run_id]
        if not counts.get("files_failed"):
            store.is_as_of(row, Sync.transferred_at, requests.as_of(definition, way, taken))
        requests.done(taken)
    runs.add(run, order["id"], counts, did.get("failures") or ())


def _again(
    run: SyncRun,
    way: Way,
    definition: SyncDefinition,
    order: Mapping[str, Any],
    error: Mapping[str, Any],
    settings: Settings,
    now: float,
) -> Order:
    """After a failure: once more after a pause, or not; then what has changed all the same is published."""
    cause = _cause(error)
    if cause.get("counts"):  # a part has come all the same
        runs.add(run, order["id"], cause["counts"], cause.get("failures") or (), attempt=int(run.attempt))
    message = reason(error)
    if run.gave_up:
        return _fail(run, way, run.gave_up, settings, now)
    if run.attempt >= definition.retries:
        if not _has_apps(definition, run):
            return _fail(run, way, message, settings, now)
        runs.change(run, [SyncRun.gave_up.set(message), SyncRun.message.set(f"{message} Publishing the apps that have changed.")])
        return {"do": "work", "work": APPS, "id": APPS}
    pause = min(FIRST_PAUSE * 3 ** int(run.attempt), LONGEST_PAUSE)
    runs.change(run, [SyncRun.attempt.add(1), SyncRun.message.set(f"{message} Again in {pause} s.")])
    return {"do": "wait", "seconds": pause}


def _fail(run: SyncRun, way: Way, message: str, settings: Settings, now: float) -> Order:
    ends.give_up(run, way, message, settings, now)
    return {"do": "fail"}


def _cause(error: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a cause as Lambda and :func:`chalicelib.syncs.transfers.failure` give it: ``errorMessage``, perhaps ``counts`` and
    ``failures``. Pure."""
    cause = str(error.get("Cause", ""))
    try:
        found = json.loads(cause)
    except (ValueError, RecursionError):
        found = None
    return found if isinstance(found, dict) else {"errorMessage": cause}


def reason(error: Mapping[str, Any]) -> str:
    """Return the sentence for people of an error that the state machine caught. Pure."""
    name = str(error.get("Error", ""))
    if name in ("States.Timeout", "States.HeartbeatTimeout"):
        return "It did not come to an end, or gave no sign of life, and was stopped."
    told = str(_cause(error).get("errorMessage") or error.get("Cause") or name)
    return told[:1000].rstrip(".") + "."


def follow(event: Mapping[str, Any]) -> None:
    """An execution has started: its end answers the token. ``event``: ``sync``, ``run``, ``execution``, ``token``.

    It may have ended before anybody knew whom to tell.
    """
    store.find(event["sync"])  # of a sync that has just been removed, nobody hears the end
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
