"""The table of errands: each change is one conditional write on what was read."""

from collections.abc import Mapping
from typing import Any

from chalicelib.errands.course import Do, ErrandFacts
from chalicelib.errands.model import Errand, ErrandState


def add(errand: Errand, now: float) -> bool:
    """Write a new errand; return False if the same one was asked for before.

    A row that has outlived its time, and that DynamoDB has not removed yet (FACTS D1), makes way.
    The new row is then an insert again, as the stream's reader wants it.
    """
    for _ in range(2):
        if errand.save_if(Errand.id.does_not_exist()):
            return True
        before = find(errand.id)
        if before is not None and float(before.expires_at) > now:
            return False
        if before is not None:
            before.delete()
    return False


def find(errand_id: str) -> Errand | None:
    """Read an errand consistently, or return None."""
    try:
        return Errand.get(errand_id, consistent_read=True)
    except Errand.DoesNotExist:
        return None


def seen(row: Errand) -> ErrandFacts:
    """Return what decides about an errand. Pure."""
    return ErrandFacts(
        ErrandState(row.state), float(row.deadline), int(row.attempt), float(row.held_until or 0)
    )


def take(row: Errand, do: Do) -> bool:
    """Take the errand for one attempt; return False if it has changed since it was read."""
    return _change(
        row,
        [
            Errand.state.set(ErrandState.DOING.value),
            Errand.attempt.set(do.attempt),
            Errand.held_until.set(do.held_until),
        ],
    )


def put_back(row: Errand) -> bool:
    """Give up an attempt whose failure may pass, so that the next doer need not wait."""
    return _change(row, [Errand.held_until.set(0)])


def finish(row: Errand, answer: Mapping[str, Any]) -> bool:
    """Record the answer; return False if somebody else has ended or taken the errand."""
    return _end(row, ErrandState.DONE, Errand.answer.set(dict(answer)))


def fail(row: Errand, why: str) -> bool:
    """Record that the errand has failed; return False if it has changed since it was read."""
    return _end(row, ErrandState.FAILED, Errand.failure.set(why))


def _end(row: Errand, state: ErrandState, outcome: Any) -> bool:
    return _change(row, [Errand.state.set(state.value), outcome, Errand.payload.remove()])


def _change(row: Errand, actions: list[Any]) -> bool:
    return row.update_if((Errand.state == row.state) & (Errand.attempt == row.attempt), actions)
