"""Ask for errands and read what became of them. Runs anywhere, also inside the VPC."""

import hashlib
import json
import re
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from chalicelib.errands import course, rows
from chalicelib.errands.errors import BadErrand, ErrandFailed
from chalicelib.errands.model import Errand, ErrandState

LARGEST = 32 * 1024
"""The most bytes of a payload and of an answer, as JSON."""
LONGEST = 900.0
"""The most seconds of an errand's time limit."""
KEPT = 3600
"""Seconds for which an errand's row is kept after its deadline."""
PAUSES = (0.05, 0.1, 0.2, 0.4)
"""Seconds between two looks at the row; the last one repeats."""

_KIND = re.compile(r"[a-z][a-z0-9-]{0,63}")


class ErrandResult(NamedTuple):
    """What became of an errand that has ended: one of both is set."""

    value: Mapping[str, Any] | None
    failure: str | None


def ask(kind: str, payload: Mapping[str, Any], key: str, limit: float, now: float) -> str:
    """Ask for an errand; return its id.

    ``key`` makes the call idempotent: while the row exists, the same kind and key are the same
    errand, which is done once and whose answer every asker reads. To ask anew, take another key.
    ``limit`` is the number of seconds after which no answer counts. Raise :class:`BadErrand`.
    """
    if not _KIND.fullmatch(kind):
        raise BadErrand(f'errand "{kind}": a kind has small letters, digits and -, at most 64')
    if not 0 < limit <= LONGEST:
        raise BadErrand(
            f"errand {kind}: a time limit of {limit:g} s; it is above 0, at most {LONGEST:g}"
        )
    if (size := size_of(payload)) > LARGEST:
        raise BadErrand(
            f"errand {kind}: a payload of {size} bytes; at most {LARGEST} fit. Pass on larger data "
            "by S3, and its key here"
        )
    errand = Errand(
        f"{kind}/{hashlib.sha256(key.encode()).hexdigest()[:40]}",
        kind=kind,
        state=ErrandState.ASKED.value,
        payload=dict(payload),
        asked_at=now,
        deadline=now + limit,
        expires_at=int(now + limit) + KEPT,
    )
    rows.add(errand, now)
    return str(errand.id)


def read(errand_id: str, now: float) -> ErrandResult | None:
    """Return what became of an errand, or None if it may still be done.

    After the deadline, this ends the errand: an answer that comes later does not count. So
    whatever this returns is final.
    """
    while True:
        row = rows.find(errand_id)
        if row is None:
            return ErrandResult(
                None, "Nobody knows this errand: it was long ago, or was never asked."
            )
        seen = rows.seen(row)
        if seen.state is ErrandState.DONE:
            return ErrandResult(row.answer or {}, None)
        if seen.state is ErrandState.FAILED:
            return ErrandResult(None, row.failure or "It failed.")
        late = course.expiry(seen, now)
        if late is None:
            return None
        if rows.fail(row, late.why):
            return ErrandResult(None, late.why)


def wait(
    errand_id: str,
    clock: Callable[[], float],
    pause: Callable[[float], None] = time.sleep,
) -> Mapping[str, Any]:
    """Return the errand's answer as soon as there is one, at the latest at its deadline.

    Raise :class:`ErrandFailed` if it failed or if the deadline passed.
    """
    pauses = iter(PAUSES)
    while (answer := read(errand_id, clock())) is None:
        pause(next(pauses, PAUSES[-1]))
    if answer.value is None:
        raise ErrandFailed(f"errand {errand_id.partition('/')[0]}: {answer.failure}")
    return answer.value


def forget(errand_id: str) -> None:
    """Remove an errand's row, for example because its answer is a secret and has been read."""
    Errand(errand_id).delete()


def size_of(document: Mapping[str, Any]) -> int:
    """Return the bytes of a document as JSON. Raise :class:`BadErrand` if it is not JSON."""
    try:
        return len(json.dumps(document).encode())
    except (TypeError, ValueError, RecursionError) as error:
        raise BadErrand(
            f"an errand's payload or answer is not JSON: {type(error).__name__}"
        ) from None
