"""Work on a sync's folder for one run, as its state machine says: ``python -m tasks.copy``.

- ``prepare`` makes the folder, so that DataSync finds it.
- ``copy`` copies urgent files until there are no more requests. A request that comes meanwhile
  need not wait for another task. After some minutes the task ends anyway, so that its work is
  counted; the state machine then asks again.
- ``apps`` publishes the apps whose folders have changed (:mod:`tasks.site`).

The answer to the task token is ``{"counts": …, "failures": …, "restart": …}``. The cause of a
failure has ``counts`` and ``failures`` too. The task sends heartbeats while it makes progress. It
ends itself if it makes none, or if nobody waits for it any more: another task may do its work
already.
"""

import contextlib
import hashlib
import json
import math
import os
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chalicelib import layout
from chalicelib.aws.tables import bind
from chalicelib.clock import wall_clock
from chalicelib.configuration.deployment import Settings
from chalicelib.errors import Broken, SettingMissing
from chalicelib.failures import Failure
from chalicelib.publishing.model import Bundle
from chalicelib.syncs import folders, requests, runs, store
from chalicelib.syncs.definition import SyncDefinition
from chalicelib.syncs.model import Sync, SyncRequest, SyncRun, Way
from chalicelib.telemetry import logger
from machine.untrusted import Folder
from tasks import token
from tasks.mirror.s3 import Bucket
from tasks.mirror.work import Mirror, MirrorJob, MirrorOutcome

ROWS_AT_ONCE = 20_000
FAILURES_TOLD = 5
"""Most files that a cause names; a cause has at most 32,768 characters."""
LONGEST = 300.0
"""Seconds after which a task accepts no more requests."""
DEAD = 86400.0
"""Seconds for which the state machine waits for a task at most.

What an older task left behind belongs to nobody.
"""


class NotCopied(Broken):
    """Some files could not be copied, but may be next time; their requests are kept."""


@dataclass(slots=True)
class CopyWork:
    """One task's work."""

    name: str
    run_id: str
    what: str
    token: str = field(repr=False)
    settings: Settings
    outcome: MirrorOutcome = field(default_factory=MirrorOutcome)

    @property
    def own(self) -> str:
        """A name that tells this task from others of the same run."""
        return hashlib.sha256(self.token.encode()).hexdigest()[:16]

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "CopyWork":
        """Read the work from the environment.

        Raise :class:`SettingMissing` that names the variable.
        """
        try:
            return cls(
                name=environment["SHEEN_SYNC"],
                run_id=environment["SHEEN_SYNC_RUN"],
                what=environment["SHEEN_SYNC_WORK"],
                token=environment.get("SHEEN_TASK_TOKEN", ""),
                settings=Settings.from_environment(environment),
            )
        except KeyError as error:
            raise SettingMissing(
                f"environment variable {error.args[0]} is not set; the sync state machine sets it"
            ) from None


def prepare(efs: Path, row: Sync) -> None:
    """Make a sync's folders, or correct their access rights.

    See :mod:`chalicelib.syncs.folders`.
    """
    name = str(row.name)
    with (
        Folder.at(efs) as top,
        top.make(layout.SYNCED, 0o755, exist_ok=True) as synced,
        top.make(layout.SYNCS, 0o755, exist_ok=True) as syncs,
        synced.make(name, 0o700, exist_ok=True) as gate,
        gate.make(layout.SYNC_DATA, 0o700, exist_ok=True) as data,
    ):
        for shared in (synced, syncs):
            shared.set_mode(0o755)  # everyone may pass through
        if os.geteuid() == 0:
            gate.give(0, int(row.read_gid))
            data.give(0, int(row.write_gid))
        data.set_mode(folders.DATA_MODE)
        gate.set_mode(folders.GATE_MODE)
        link = layout.link(efs, name)
        with contextlib.suppress(FileExistsError):
            os.symlink(
                os.path.relpath(layout.synced(efs, name), link.parent),
                name,
                dir_fd=syncs.descriptor,
            )


def copy(work: CopyWork, row: Sync, definition: SyncDefinition, run: SyncRun) -> None:
    """Copy requested files until there are no more requests, or the time is over.

    Raise :class:`NotCopied` if some of them may succeed next time.
    """
    bucket = Bucket.from_environment(definition.bucket)
    until = wall_clock() + LONGEST
    while wall_clock() < until and (rows := requests.pending(work.name, Way.COPY, ROWS_AT_ONCE)):
        runs.note(run, rows, f"Copying: {len(rows):,} requests.")
        missed: dict[str, str] = {}
        for part in parts(rows):
            missed |= _copy_part(work, row, definition, bucket, part)
        if missed:
            path, why = next(iter(missed.items()))
            raise NotCopied(f"{len(missed):,} files could not be copied; {path}: {why}")


def parts(rows: list[SyncRequest]) -> Iterator[list[SyncRequest]]:
    """Divide requests into one part for all single keys and one for each prefix.

    A prefix may take long. This function is pure.
    """
    if single := [row for row in rows if not requests.is_prefix(row)]:
        yield single
    yield from ([row] for row in rows if requests.is_prefix(row))


def _copy_part(
    work: CopyWork, row: Sync, definition: SyncDefinition, bucket: Bucket, part: list[SyncRequest]
) -> dict[str, str]:
    """Copy one of :func:`parts`, and delete its requests unless another attempt may help.

    Return the failures that another attempt may fix, as path → reason.
    """
    failed_before = work.outcome.files_failed
    is_prefix = requests.is_prefix(part[0])
    if is_prefix:
        mirror(work, definition, bucket, part[0].target).run()
    else:
        mirror(work, definition, bucket, "").keys(
            {each.target: int(each.size or 0) for each in part}
        )
    passed_on = _pass_on_large(work, definition)
    if work.outcome.files_failed == failed_before and not passed_on:
        store.is_as_of(row, Sync.copied_at, requests.as_of(definition, Way.COPY, part))
    missed = work.outcome.forgive()
    requests.done(each for each in part if not (missed if is_prefix else each.target in missed))
    return missed


def mirror(work: CopyWork, definition: SyncDefinition, bucket: Bucket, below: str) -> Mirror:
    """Return a mirror for everything below a prefix, or for single keys."""
    efs = Path(work.settings.efs)
    job = MirrorJob(
        prefix=definition.prefix,
        folder=layout.synced(efs, definition.name),
        incoming=incoming(work),
        below=below,
        include=definition.include,
        exclude=definition.exclude,
        delete=definition.delete,
        verify=definition.verify,
        largest=definition.urgent_limit,
        durable=True,
    )
    return Mirror(job, bucket, work.outcome)


def incoming(work: CopyWork) -> Path:
    """Return the folder for a task's incomplete files.

    Each task has a folder of its own, because the one before it may still run.
    """
    return layout.gate(Path(work.settings.efs), work.name) / layout.INCOMING / Way.COPY / work.own


@contextlib.contextmanager
def _cleaned(folder: Path) -> Iterator[None]:
    """Remove a task's incomplete files at its end, and those of tasks killed long ago."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with Folder.at(folder.parent) as above:
        for other in above.scan():
            if wall_clock() - other.status.st_mtime > DEAD:
                _discard(above, other.name)
        try:
            yield
        finally:
            _discard(above, folder.name)


def _discard(above: Folder, name: str) -> None:
    try:
        above.remove(name)
    except FileNotFoundError:
        pass  # another task was faster
    except OSError as error:
        logger.warning("not removed", extra={"folder": str(above.path / name), "error": str(error)})


def _pass_on_large(work: CopyWork, definition: SyncDefinition) -> bool:
    """Leave objects that are too large for a task to DataSync; return whether there are any."""
    outcome = work.outcome
    large, outcome.large = outcome.large, []
    for relative in large:
        requests.ask_for_object(definition, relative, definition.urgent_limit + 1, wall_clock())
    if large:
        requests.start(
            definition.name, Way.TRANSFER, work.settings.sync_state_machine, wall_clock()
        )
    return bool(large)


def perform(work: CopyWork, end: Callable[[], None]) -> dict[str, Any]:
    """Do the work and return the answer; ``end`` ends the task at once."""
    row = store.find(work.name)
    definition = row.definition(work.settings.bucket)
    run = runs.find(work.name, work.run_id)
    if run is None:
        raise SettingMissing(
            f"run {work.run_id} of sync {work.name} has no row; it was begun by somebody else"
        )
    restart: list[str] = []
    # Only copying counts its progress.
    patience = definition.stall_timeout if work.what == "copy" else math.inf
    with _watched(work, patience, end):
        prepare(Path(work.settings.efs), row)
        if work.what == "copy":
            with _cleaned(incoming(work)):
                copy(work, row, definition, run)
        elif work.what == "apps":
            from tasks.site import publish_changed

            restart = publish_changed(
                definition, work.settings, lambda message: runs.tell(run, message)
            )
    return {
        "counts": work.outcome.counts(),
        "failures": work.outcome.failures[: runs.FAILURES_TOLD],
        "restart": restart,
    }


def give_up(work: CopyWork, error: str, cause: str) -> None:
    """Report that the work failed, and what was done, which is not done again.

    The cause has the form of Lambda's.
    """
    work.outcome.forgive()
    told = {
        "errorMessage": cause[:1000],
        "counts": work.outcome.counts(),
        "failures": work.outcome.failures[:FAILURES_TOLD],
    }
    token.fail(work.token, error, json.dumps(told, ensure_ascii=False))


@contextlib.contextmanager
def _watched(work: CopyWork, patience: float, end: Callable[[], None]) -> Iterator[None]:
    """Send heartbeats while the context is open; see :func:`_beat`."""
    over = threading.Event()
    threading.Thread(target=_beat, args=(work, over, patience, end), daemon=True).start()
    try:
        yield
    finally:
        over.set()


def _beat(work: CopyWork, over: threading.Event, patience: float, end: Callable[[], None]) -> None:
    """Send heartbeats while the work makes progress.

    End the task after ``patience`` seconds without progress, or if nobody waits for it.
    """
    last, since = work.outcome.counts(), wall_clock()
    while not over.wait(min(token.BEAT_EVERY, patience / 2)):
        counts = work.outcome.counts()
        if counts != last:
            last, since = counts, wall_clock()
        elif wall_clock() - since >= patience:
            cause = f"the task made no progress for {patience:.0f} s; it was stopped"
            give_up(work, Failure.STALLED, cause)
            end()
            return
        if not token.beat(work.token) and not over.is_set():
            end()
            return


def main(
    environment: Mapping[str, str] = os.environ, end: Callable[[], None] = lambda: os._exit(1)
) -> int:
    """Do the work and report; return the exit code, which is 0 if all went well."""
    work = CopyWork.from_environment(environment)
    bind(work.settings, Bundle, Sync, SyncRequest, SyncRun)
    with logger.append_context_keys(sync=work.name, run=work.run_id):
        try:
            answer = perform(work, end)
        except Exception as error:
            logger.exception("the work failed")
            give_up(work, type(error).__name__, str(error))
            return 1
        logger.info("done", extra=answer["counts"])
        token.succeed(work.token, answer)
    return 0


if __name__ == "__main__":
    sys.exit(main())
