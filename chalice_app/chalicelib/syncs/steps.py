"""The steps of a run's state machine. Each may run more than once (FACTS H4). Outside the VPC.

The machine asks :func:`step` what to do, does it, and asks again with the result, until the run
ends. :mod:`chalicelib.syncs.decision` decides; this reads what the decision needs and acts on it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NotRequired, TypedDict

from botocore.exceptions import ClientError

from chalicelib.clock import Clock
from chalicelib.configuration.deployment import Settings
from chalicelib.syncs import consequences, ends, requests, runs, store, transfers
from chalicelib.syncs.decision import (
    APPS,
    COPY,
    PREPARE,
    TRANSFER,
    Finish,
    GiveUp,
    Pause,
    RunFacts,
    TaskWork,
    Transfer,
    cause_of,
    decide,
    reason,
)
from chalicelib.syncs.definition import SyncDefinition
from chalicelib.syncs.errors import BadSync, NoSuchSync
from chalicelib.syncs.keys import chunks
from chalicelib.syncs.model import RunStatus, Sync, SyncRequest, SyncRun, Way
from chalicelib.telemetry import logger

_MESSAGES = {
    PREPARE: "Making the folder.",
    APPS: "Publishing the apps that have changed.",
    COPY: "Getting a machine to copy urgent files.",
    TRANSFER: "DataSync compares and copies.",
}


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
    transfer: NotRequired[transfers.TransferArguments]
    seconds: NotRequired[int]


def step(event: Mapping[str, Any], settings: Settings, clock: Clock) -> Order:
    """Return the state machine's next order.

    ``event`` has ``sync``, ``way`` and ``run``. After a step it also has the step's ``order``
    (``id`` and ``work``) and either ``did`` (with its counts) or ``error``.
    """
    now = clock()
    record = runs.begin(event["sync"], Way(event["way"]), event["run"], now)
    if record.status != RunStatus.RUNNING:
        ends.hand_over(record, settings, now)
        return {"do": "end" if record.status != RunStatus.FAILED else "fail"}
    try:
        row = store.find(event["sync"])
        definition = row.definition(settings.bucket)
    except (NoSuchSync, BadSync) as error:
        ends.drop(record, str(error), settings, now)
        return {"do": "fail"}
    run = Run(record, row, definition, settings, now)
    order: Mapping[str, Any] = event.get("order") or {}
    if event.get("error"):
        run.add_failed(order, event["error"])
        return run.next(reason(event["error"]))
    if event.get("did") is not None and order.get("id"):
        run.add_done(order, event["did"])
    return run.next()


@dataclass(frozen=True, slots=True)
class Run:
    """A run that has not ended, with everything that its steps read and change."""

    record: SyncRun
    """Its row."""
    sync: Sync
    """The row of its sync."""
    definition: SyncDefinition
    settings: Settings
    now: float

    @property
    def way(self) -> Way:
        return Way(self.record.way)

    def seen(self, failed: str = "", *, asked: bool | None = None) -> RunFacts:
        """Read what decides about the run; ``asked`` overrides whether there are requests."""
        if asked is None:
            asked = bool(requests.pending(self.sync.name, self.way, 1))
        return RunFacts(
            self.way,
            asked,
            bool(self.sync.folder_ready),
            bool(self.definition.publish),
            self.definition.retries,
            tuple(self.record.steps),
            int(self.record.attempt),
            runs.has_changed(self.record),
            str(self.record.gave_up or ""),
            failed,
        )

    def next(self, failed: str = "") -> Order:
        """Act on the decision about the run and return the state machine's order."""
        return self._act(self.seen(failed))

    def _act(self, seen: RunFacts) -> Order:
        match decide(seen):
            case TaskWork(id=step_id, work=work, gave_up=gave_up):
                self._tell(work, gave_up)
                return {"do": "work", "work": work, "id": step_id}
            case Transfer(id=step_id):
                return self._transfer(step_id)
            case Pause(seconds=seconds, why=why):
                message = f"{why} Again in {seconds} s."
                runs.change(self.record, [SyncRun.attempt.add(1), SyncRun.message.set(message)])
                return {"do": "wait", "seconds": seconds}
            case GiveUp(why=why):
                ends.give_up(self.record, why, self.settings, self.now)
                return {"do": "fail"}
            case Finish():
                ends.finish(self.record, self.settings, self.now)
                return {"do": "end"}

    def _tell(self, work: str, gave_up: str) -> None:
        """Record what the run does now, and why it fails afterwards if that is certain."""
        if gave_up:
            message = f"{gave_up} {_MESSAGES[work]}"
            runs.change(self.record, [SyncRun.gave_up.set(gave_up), SyncRun.message.set(message)])
        elif work == COPY:
            rows = requests.pending(self.sync.name, self.way, 1)
            runs.note(self.record, rows, _MESSAGES[work], counted=False)
        else:
            runs.tell(self.record, _MESSAGES[work])

    def _transfer(self, step_id: str) -> Order:
        """Take what one transfer serves; decide again if it cannot be or nothing is left."""
        try:
            task = transfers.ensure_task(self.sync, self.definition, self.settings)
        except ClientError as error:  # for example, when a bucket may not be read
            return self.next(reason({"Error": type(error).__name__, "Cause": str(error)}))
        taken = self._take()
        if not taken:
            return self._act(self.seen(asked=False))
        runs.note(self.record, taken, _MESSAGES[TRANSFER])
        return {
            "do": "transfer",
            "work": TRANSFER,
            "transfer": self._transfer_of(task, taken),
            "id": step_id,
        }

    def _take(self) -> list[SyncRequest]:
        """Take requests that one transfer can serve; return an empty list if there are none."""
        while rows := requests.pending(self.sync.name, Way.TRANSFER, None):
            few = {each.target: each for each in requests.of_one_kind(rows)}
            whole = few.pop("", None)
            taken = requests.take(
                [whole] if whole else [few[target] for target in next(chunks(few))],
                self.record.run_id,
            )
            if whole and taken:
                taken += requests.take(few.values(), self.record.run_id)
            if taken:  # otherwise all were requested again after they were read
                return taken
        return []

    def _transfer_of(self, task: str, taken: list[SyncRequest]) -> transfers.TransferArguments:
        made = transfers.of_prefixes if requests.is_prefix(taken[0]) else transfers.of_keys
        transfer = made(self.definition, task, [each.target for each in taken])
        options = transfers.in_mode(transfer["options"], self.settings.sync_mode)
        return {**transfer, "options": options}

    def add_done(self, order: Mapping[str, Any], did: Mapping[str, Any]) -> None:
        """Record the results of a step, after everything that follows from them.

        A repeated call finds the step recorded, or does the same again.
        """
        if order["id"] in self.record.steps:
            return
        counts = did.get("counts") or {}
        if order["work"] == APPS:
            restarter = self.settings.function_name(consequences.RESTARTER)
            consequences.restart(did.get("restart") or (), restarter)
        if order["work"] == PREPARE:
            store.update(self.sync, [Sync.folder_ready.set(True)])
        if order["work"] == TRANSFER:
            self._forget_taken(complete=not counts.get("files_failed"))
        runs.add(self.record, order["id"], counts, did.get("failures") or ())

    def _forget_taken(self, *, complete: bool) -> None:
        taken = [
            each
            for each in requests.pending(self.sync.name, self.way, None)
            if each.run_id == self.record.run_id
        ]
        if complete:
            as_of = requests.as_of(self.definition, self.way, taken)
            store.is_as_of(self.sync, Sync.transferred_at, as_of)
        requests.done(taken)

    def add_failed(self, order: Mapping[str, Any], error: Mapping[str, Any]) -> None:
        """Record the files that a failed step brought nevertheless."""
        cause = cause_of(error)
        if cause.get("counts"):
            runs.add(
                self.record,
                order["id"],
                cause["counts"],
                cause.get("failures") or (),
                attempt=int(self.record.attempt),
            )


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
