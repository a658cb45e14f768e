"""Do errands. Runs outside the VPC; the stream of the errands' table invokes this.

What if this breaks off in between?

* Before the errand is taken: the record comes again.
* After it is taken, before, while or after it is done: the record comes again. As long as the dead
  doer's time lasts, it is left alone. Then the errand is done again if its kind is repeatable, and
  fails otherwise, because nobody knows whether it was done.
* Lambda drops the record as too old: the asker reads, at the deadline, that nobody began.
* After the answer is written: the record comes again and is left alone.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from chalicelib import telemetry
from chalicelib.aws import streams
from chalicelib.errands import asking, course, rows
from chalicelib.errands.course import Fail, Leave, Manner, WaitForDoer
from chalicelib.errands.errors import BadErrand, ErrandFailed
from chalicelib.errands.model import Errand

_TRIES = 4
"""How often a doer looks again after somebody else has changed the row."""


@dataclass(frozen=True, slots=True)
class ErrandKind:
    """A kind of errand and how it is done.

    ``infra/declared/errands.py`` says what the function that does it may do.
    """

    name: str
    do: Callable[[Mapping[str, Any]], Mapping[str, Any]]
    """Takes the payload, returns the answer.

    It checks the payload first. It raises :class:`ErrandFailed` to refuse it or if the errand
    cannot be done. Of any other error the asker learns its name only.
    """
    manner: Manner


class Doer:
    """Does errands of some kinds."""

    def __init__(self, kinds: Iterable[ErrandKind], clock: Callable[[], float]) -> None:
        self._kinds = {kind.name: kind for kind in kinds}
        self._clock = clock

    @property
    def kinds(self) -> frozenset[str]:
        """The names of the kinds."""
        return frozenset(self._kinds)

    def on_change(
        self,
        records: Iterable[Mapping[str, Any]],
        remaining: Callable[[], float] = lambda: float("inf"),
    ) -> streams.Accepted:
        """Do the errands that stream records are about.

        ``remaining`` returns the seconds for which this invocation may still run. An errand that
        might not fit is left to the next one.
        """
        return streams.each(records, lambda change: self._on(change, remaining))

    def _on(self, change: streams.ItemChange, remaining: Callable[[], float]) -> None:
        if change.event != "INSERT":
            return
        errand_id = change.keys["id"]["S"]
        for _ in range(_TRIES):
            row = rows.find(errand_id)
            if row is None:
                return
            kind = self._kinds.get(str(row.kind))
            manner = kind.manner if kind is not None else None
            step = course.next_step(rows.seen(row), manner, self._clock())
            if isinstance(step, Leave):
                return
            if isinstance(step, Fail):
                if self._failed(row, step.why):
                    return
            elif isinstance(step, WaitForDoer) or kind is None or remaining() < kind.manner.seconds:
                break
            elif rows.take(row, step):
                self._do(row, kind)
                return
        raise streams.NotYet

    def _do(self, row: Errand, kind: ErrandKind) -> None:
        try:
            answer = dict(kind.do(row.payload))
            if (size := asking.size_of(answer)) > asking.LARGEST:
                raise ErrandFailed(
                    f"The answer has {size} bytes; at most {asking.LARGEST} fit. It was done."
                )
        except (ErrandFailed, BadErrand) as error:
            self._failed(row, str(error))
        except Exception as error:
            if streams.may_pass(error) and kind.manner.repeatable:
                rows.put_back(row)
                raise
            # Its message may quote the payload.
            name = type(error).__name__
            _log("an errand broke off", row, error=name, where=streams.where(error))
            self._failed(row, f"It broke off ({name}); the log of the function on_errand says why.")
        else:
            late = course.expiry(rows.seen(row), self._clock())
            if late is not None:
                self._failed(row, late.why)
            elif rows.finish(row, answer):
                _log("an errand is done", row)
            else:
                _log("an errand was done too late", row)

    def _failed(self, row: Errand, why: str) -> bool:
        failed = rows.fail(row, why)
        if failed:
            _log("an errand failed", row, why=why)
        return failed


def _log(what: str, row: Errand, **more: Any) -> None:
    """Log what became of an errand: never its payload, its answer or its key."""
    telemetry.logger.info(
        what, extra={"errand": row.id, "kind": row.kind, "attempt": int(row.attempt), **more}
    )
