"""The course of an errand: what may be done with it next. Pure.

``asked`` → ``doing`` → ``done`` or ``failed``. Each step is one conditional write on the state and
attempt that were read, so only one doer takes an attempt and only that doer answers it.
"""

from typing import NamedTuple

from chalicelib.errands.model import ErrandState

MOST_ATTEMPTS = 3
"""How many doers may take one errand, if it may be done again at all."""
TOO_LATE = "It took too long; nobody knows whether it was done. Ask again."
NOT_BEGUN = "Nobody began it in time. Ask again."
DOER_DIED = "Who did it stopped halfway; nobody knows whether it was done. Ask again."
ALL_DIED = f"{MOST_ATTEMPTS} attempts stopped halfway. The log of the function on_errand says why."
UNKNOWN = "This deployment does no errands of that kind; deploy it again, so all parts fit."


class ErrandFacts(NamedTuple):
    """What decides about an errand, as it was read from its row."""

    state: ErrandState
    deadline: float
    attempt: int = 0
    held_until: float = 0.0

    @property
    def ended(self) -> bool:
        """Whether the errand is done or has failed, for good."""
        return self.state in (ErrandState.DONE, ErrandState.FAILED)


class Manner(NamedTuple):
    """How errands of a kind are done."""

    seconds: float
    """The most seconds that doing one takes."""
    repeatable: bool
    """Whether one may be done again if nobody knows whether it was done."""


class Do(NamedTuple):
    """Take the errand and do it."""

    attempt: int
    held_until: float


class Fail(NamedTuple):
    """Record that the errand has failed."""

    why: str


class WaitForDoer(NamedTuple):
    """Look again later: a doer has the errand."""


class Leave(NamedTuple):
    """There is nothing to do."""


def next_step(
    seen: ErrandFacts, manner: Manner | None, now: float
) -> Do | Fail | WaitForDoer | Leave:
    """Return what a doer does with an errand, of which it hears once or more often.

    ``manner`` is None if nobody here does errands of its kind.
    """
    if seen.ended:
        return Leave()
    if manner is None:
        return Fail(UNKNOWN)
    if (late := expiry(seen, now)) is not None:
        return late
    if seen.state is ErrandState.DOING:
        if seen.held_until > now:
            return WaitForDoer()
        if not manner.repeatable:
            return Fail(DOER_DIED)
        if seen.attempt >= MOST_ATTEMPTS:
            return Fail(ALL_DIED)
    return Do(seen.attempt + 1, now + manner.seconds)


def expiry(seen: ErrandFacts, now: float) -> Fail | None:
    """Return how an errand that has not ended fails, if its time is over.

    Asker and doers decide by this alike: the first to notice writes it.
    """
    if seen.ended or now < seen.deadline:
        return None
    return Fail(NOT_BEGUN if seen.state is ErrandState.ASKED else TOO_LATE)
