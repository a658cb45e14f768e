"""Decide what a run of a sync does next. Pure; :mod:`chalicelib.syncs.steps` acts."""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from chalicelib.failures import Failure
from chalicelib.syncs.model import Way

FIRST_PAUSE = 20
"""Seconds before the first retry; each further pause is three times as long."""
LONGEST_PAUSE = 1800
PREPARE, COPY, APPS, TRANSFER = "prepare", "copy", "apps", "transfer"
"""The works of a run; the first three are those of our own task, see :mod:`tasks.copy`."""


class RunFacts(NamedTuple):
    """What decides about a run, as it was read."""

    way: Way
    asked: bool
    """Whether there are requests that are not done."""
    folder_ready: bool
    publishes: bool
    """Whether the sync publishes the apps in its folder."""
    retries: int
    """How often the sync repeats a step that failed."""
    steps: tuple[str, ...] = ()
    """The ids of the steps that are done."""
    attempt: int = 0
    """How often the current step has failed."""
    changed: bool = False
    """Whether the run has changed files that apps see."""
    gave_up: str = ""
    """Why the run fails, if that is certain."""
    failed: str = ""
    """Why the step that was just tried failed; empty if it did not."""

    @property
    def owes_apps(self) -> bool:
        """Whether apps in the folder may have changed and are not published yet."""
        return self.publishes and self.changed and APPS not in self.steps

    @property
    def has_copied(self) -> bool:
        """Whether the run's task has done its work.

        Later requests are left to the next run: otherwise a sync under constant load would never
        end its run.
        """
        return not self.attempt and any(step.startswith(COPY) for step in self.steps)

    def step_id(self, work: str) -> str:
        """Return the id of a new step; apps are published once in a run."""
        return APPS if work == APPS else f"{work}-{len(self.steps)}.{self.attempt}"


class TaskWork(NamedTuple):
    """Have our own task do some work: :data:`PREPARE`, :data:`COPY` or :data:`APPS`."""

    id: str
    work: str
    gave_up: str = ""
    """Why the run fails after this, if that has become certain now."""


class Transfer(NamedTuple):
    """Have DataSync transfer what is asked."""

    id: str


class Pause(NamedTuple):
    """Try the step again after some seconds, because it failed."""

    seconds: int
    why: str


class Finish(NamedTuple):
    """End the run: everything is done."""


class GiveUp(NamedTuple):
    """End the run as failed."""

    why: str


Decision = TaskWork | Transfer | Pause | Finish | GiveUp


def decide(seen: RunFacts) -> Decision:
    """Return what the run does next.

    Before a run that gives up ends, it publishes its changes.
    """
    if seen.gave_up:
        return GiveUp(seen.gave_up)
    if seen.failed:
        return _after_failure(seen)
    if seen.way is Way.TRANSFER and not seen.folder_ready:
        return TaskWork(seen.step_id(PREPARE), PREPARE)
    if seen.asked and seen.way is Way.TRANSFER:
        return Transfer(seen.step_id(TRANSFER))
    if seen.asked and not seen.has_copied:
        return TaskWork(seen.step_id(COPY), COPY)
    if seen.owes_apps:
        return TaskWork(seen.step_id(APPS), APPS)
    return Finish()


def _after_failure(seen: RunFacts) -> Decision:
    if seen.attempt < seen.retries:
        return Pause(min(FIRST_PAUSE * 3**seen.attempt, LONGEST_PAUSE), seen.failed)
    if seen.owes_apps:
        return TaskWork(seen.step_id(APPS), APPS, gave_up=seen.failed)
    return GiveUp(seen.failed)


def cause_of(error: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the cause of an error in the form that Lambda and our transfers use.

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
    """Return a sentence for people about an error that the state machine caught."""
    name = str(error.get("Error", ""))
    if name in (Failure.TIMEOUT, Failure.HEARTBEAT_TIMEOUT):
        return "It did not come to an end, or gave no sign of life, and was stopped."
    told = str(cause_of(error).get("errorMessage") or error.get("Cause") or name)
    return told[:1000].rstrip(".") + "."
