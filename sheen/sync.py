"""``sheen sync [NAME] [--prefix P] [--follow]``: ask for a sync, and follow it.

:mod:`sheen.syncs` has ``define``.
"""

import json
import time
from collections.abc import Callable, Sequence

from chalicelib.configuration.deployment import Settings
from chalicelib.syncs import asking, requests, runs, store, transfers
from chalicelib.syncs.model import RunStatus, SyncRun, Way
from sheen.console import say
from sheen.functions import call
from sheen.syncs import BadWords, define, outcome

POLL = 0.5
PATIENCE = 900.0
"""Seconds without news after which following ends. The sync itself goes on."""
STOPPING = 120.0
"""Seconds that DataSync may take to stop."""


def sync(
    settings: Settings, words: Sequence[str], prefix: str, follow: bool, tell: Callable[[str], None]
) -> int:
    """Run ``[NAME]``, ``define NAME [KEY=VALUE …]`` or ``remove NAME``; return the exit status.

    The status is 1 if a followed run failed. Raise :class:`BadWords`,
    :class:`chalicelib.syncs.errors.NoSuchSync` or :class:`chalicelib.syncs.errors.BadSync`.
    """
    match words:
        case ["define", name, *changes]:
            define(settings, name, changes)
        case ["remove", name]:
            remove(name)
            say(f"{name} is not synced any more; its folder stays, for the apps that have it")
        case []:
            names = [str(row.name) for row in store.everything()]
            if not names:
                raise BadWords("there are no syncs yet; `sheen sync define NAME` makes one")
            return max([run(settings, name, prefix, follow, tell) for name in names])
        case [name]:
            return run(settings, name, prefix, follow, tell)
        case _:
            raise BadWords(
                "write `sheen sync [NAME]`, `sheen sync define NAME [KEY=VALUE …]` or "
                "`sheen sync remove NAME`"
            )
    return 0


def remove(name: str) -> None:
    """Delete a sync, its pending requests and its DataSync task, which is stopped if it runs.

    Raise :class:`chalicelib.syncs.errors.NoSuchSync`, or :class:`BadWords` if DataSync does not
    stop.
    """
    task = store.find(name).task_arn
    store.remove(name)
    requests.forget(name)
    lease = requests.lease(name, Way.TRANSFER)
    found = runs.find(name, str(lease.run_id)) if lease is not None else None
    if found is not None and found.execution:
        _stop(found)
    if task:
        transfers.forget_task(str(task))


def _stop(found: SyncRun) -> None:
    """Stop a run's transfer, and tell its state machine.

    Nothing else would tell it, because the sync no longer exists.
    """
    transfers.cancel(str(found.execution))
    deadline = time.monotonic() + STOPPING
    while (described := transfers.look(str(found.execution)))["Status"] not in transfers.ENDED:
        if time.monotonic() > deadline:
            task = str(found.execution).partition("/execution/")[0]
            raise BadWords(
                f"{found.sync} is removed, but DataSync is still stopping: delete its "
                f"task {task} and its locations later"
            )
        time.sleep(POLL)
    transfers.answer(found, described)


def run(
    settings: Settings, name: str, prefix: str, follow: bool, tell: Callable[[str], None]
) -> int:
    """Ask for a sync, with ``follow`` until its runs have ended; return the exit status."""
    store.find(name)  # a missing sync is reported at once
    answer = json.loads(call(settings, "sync", {"sync": name, "prefix": prefix}))
    stamps: dict[str, str] = answer["stamps"]
    if not follow:
        say(f"{name}: asked for; `sheen syncs {name}` tells what became of it")
        return 0
    failed = False
    for stamp in stamps.values():
        ended = follow_run(name, stamp, lambda message: tell(f"{name}: {message}"))
        say(f"{name}: {ended.run_id}: {outcome(ended)}. {ended.message}")
        for path, why in ended.failures:
            say(f"{name}: {path}: {why}")
        failed = failed or ended.status != RunStatus.SUCCEEDED
    return int(failed)


def follow_run(name: str, stamp: str, tell: Callable[[str], None]) -> SyncRun:
    """Tell each new message of the run that answers a request; return the run once it has ended.

    Raise :class:`BadWords` if there is no news for :data:`PATIENCE` seconds.
    """
    told = ""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        found = asking.answering(name, stamp)
        if found is not None:
            if found.status != RunStatus.RUNNING:
                return found
            message = f"{found.message}{_progress(found)}"
            if message != told:
                told = message
                tell(told)
                deadline = time.monotonic() + PATIENCE
        time.sleep(POLL)
    raise BadWords(
        f"{name}: no news for {PATIENCE / 60:.0f} minutes; `sheen syncs {name}` tells "
        "where it stands"
    )


def _progress(found: SyncRun) -> str:
    """Return how far DataSync is, in words."""
    if not found.execution:
        return ""
    described = transfers.look(found.execution)
    if described["Status"] in transfers.ENDED:
        return ""
    done, total = described.get("FilesTransferred", 0), described.get("EstimatedFilesToTransfer", 0)
    return f" {str(described['Status']).lower()}: {done:,} of {total:,} files"
