"""The steps of a run's state machine. Each may run more than once (FACTS H4). Outside the VPC.

The machine asks :func:`step` what to do, does it, and asks again with the result, until the run
ends.
"""

import json
from collections.abc import Mapping
from typing import Any, NotRequired, TypedDict

from botocore.exceptions import ClientError

from chalicelib.clock import Clock
from chalicelib.configuration.deployment import Settings
from chalicelib.syncs import consequences, ends, requests, runs, store, transfers
from chalicelib.syncs.definition import SyncDefinition
from chalicelib.syncs.errors import BadSync, NoSuchSync
from chalicelib.syncs.keys import chunks
from chalicelib.syncs.model import RunStatus, Sync, SyncRequest, SyncRun, Way
from chalicelib.telemetry import logger

FIRST_PAUSE = 20
"""Seconds before the first retry; each further pause is three times as long."""
LONGEST_PAUSE = 1800
APPS, COPY = "apps", "copy"


class Order(TypedDict):
    """What the state machine does next."""

    do: str
    """``work``, ``transfer``, ``wait``, ``end`` or ``fail``."""
    id: NotRequired[str]
    """Id of this step; its results are counted once."""
    work: NotRequired[str]
    """``transfer``, or the work of one of our tasks: ``prepare``, ``copy`` or ``apps``.

    See :mod:`tasks.copy`.
    """
    transfer: NotRequired[transfers.Transfer]
    seconds: NotRequired[int]


def step(event: Mapping[str, Any], settings: Settings, clock: Clock) -> Order:
    """Return the state machine's next order.

    ``event`` has ``sync``, ``way`` and ``run``. After a step it also has the step's ``order``
    (``id`` and ``work``) and either ``did`` (with its counts) or ``error``.
    """
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


def _next(
    row: Sync, definition: SyncDefinition, run: SyncRun, way: Way, settings: Settings, now: float
) -> Order:
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
        except ClientError as error:  # for example, when a bucket may not be read
            return _again(
                run,
                way,
                definition,
                {},
                {"Error": type(error).__name__, "Cause": str(error)},
                settings,
                now,
            )
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
    """Take requests that one transfer can serve; return an empty list if there are none."""
    while rows := requests.pending(run.sync, Way.TRANSFER, None):
        few = {each.target: each for each in requests.of_one_kind(rows)}
        whole = few.pop("", None)
        taken = requests.take(
            [whole] if whole else [few[target] for target in next(chunks(few))], run.run_id
        )
        if whole and taken:
            taken += requests.take(few.values(), run.run_id)
        if taken:  # otherwise all were requested again after they were read
            return taken
    return []


def _transfer(
    definition: SyncDefinition, task: str, taken: list[SyncRequest], mode: str
) -> transfers.Transfer:
    made = transfers.of_prefixes if requests.is_prefix(taken[0]) else transfers.of_keys
    transfer = made(definition, task, [each.target for each in taken])
    return {**transfer, "options": transfers.in_mode(transfer["options"], mode)}


def _has_copied(run: SyncRun) -> bool:
    """Return whether the run's task has done its work.

    Later requests are left to the next run: otherwise a sync under constant load would never end
    its run.
    """
    return not run.attempt and any(step.startswith(COPY) for step in run.steps)


def _has_apps(definition: SyncDefinition, run: SyncRun) -> bool:
    return bool(definition.publish) and runs.has_changed(run) and APPS not in run.steps


def _did(
    row: Sync,
    definition: SyncDefinition,
    run: SyncRun,
    way: Way,
    order: Mapping[str, Any],
    did: Mapping[str, Any],
    settings: Settings,
) -> None:
    """Record the results of a step, after everything that follows from them.

    A repeated call finds the step recorded, or does the same again.
    """
    if order["id"] in run.steps:
        return
    counts = did.get("counts") or {}
    if order["work"] == APPS:
        consequences.restart(
            did.get("restart") or (), settings.function_name(consequences.RESTARTER)
        )
    if order["work"] == "prepare":
        store.update(row, [Sync.folder_ready.set(True)])
    if order["work"] == "transfer":
        taken = [
            each
            for each in requests.pending(definition.name, way, None)
            if each.run_id == run.run_id
        ]
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
    """Handle a failure: retry after a pause, or give up.

    Before a run that gives up ends, it publishes its changes.
    """
    cause = _cause(error)
    if cause.get("counts"):  # some files may have arrived nevertheless
        runs.add(
            run, order["id"], cause["counts"], cause.get("failures") or (), attempt=int(run.attempt)
        )
    message = reason(error)
    if run.gave_up:
        return _fail(run, way, run.gave_up, settings, now)
    if run.attempt >= definition.retries:
        if not _has_apps(definition, run):
            return _fail(run, way, message, settings, now)
        runs.change(
            run,
            [
                SyncRun.gave_up.set(message),
                SyncRun.message.set(f"{message} Publishing the apps that have changed."),
            ],
        )
        return {"do": "work", "work": APPS, "id": APPS}
    pause = min(FIRST_PAUSE * 3 ** int(run.attempt), LONGEST_PAUSE)
    runs.change(
        run, [SyncRun.attempt.add(1), SyncRun.message.set(f"{message} Again in {pause} s.")]
    )
    return {"do": "wait", "seconds": pause}


def _fail(run: SyncRun, way: Way, message: str, settings: Settings, now: float) -> Order:
    ends.give_up(run, way, message, settings, now)
    return {"do": "fail"}


def _cause(error: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a cause in the form that Lambda and our transfers use. Pure.

    It has ``errorMessage`` and may have ``counts`` and ``failures``; see
    :func:`chalicelib.syncs.transfers.failure`.
    """
    cause = str(error.get("Cause", ""))
    try:
        found = json.loads(cause)
    except (ValueError, RecursionError):
        found = None
    return found if isinstance(found, dict) else {"errorMessage": cause}


def reason(error: Mapping[str, Any]) -> str:
    """Return a sentence for people about an error that the state machine caught. Pure."""
    name = str(error.get("Error", ""))
    if name in ("States.Timeout", "States.HeartbeatTimeout"):
        return "It did not come to an end, or gave no sign of life, and was stopped."
    told = str(_cause(error).get("errorMessage") or error.get("Cause") or name)
    return told[:1000].rstrip(".") + "."


def follow(event: Mapping[str, Any]) -> None:
    """Record a started execution, so that its end answers the token.

    ``event`` has ``sync``, ``run``, ``execution`` and ``token``. The execution may have ended
    before its token was recorded, so this also answers at once if it has ended. Raise
    :class:`NoSuchSync` if the sync or the run's row is gone.
    """
    store.find(event["sync"])  # raises if the sync has been removed: its end would answer nobody
    run = runs.find(event["sync"], event["run"])
    if run is None:
        raise NoSuchSync(f"run {event['run']} of sync {event['sync']} has no row any more")
    runs.change(
        run,
        [
            SyncRun.execution.set(event["execution"]),
            SyncRun.token.set(event["token"]),
            SyncRun.progress.set(-1),
        ],
    )
    transfers.answer(run, transfers.look(event["execution"]))


def on_transfer_change(event: Mapping[str, Any]) -> None:
    """Answer the state machine that waits for a DataSync execution, when EventBridge says it ended.

    ``event`` has ``resources``.
    """
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
