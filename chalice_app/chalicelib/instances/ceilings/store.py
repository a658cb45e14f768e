"""Take places below a ceiling, and give them back.

No race can exceed the limit, because DynamoDB orders the writes of one row.
"""

from collections.abc import Iterable
from typing import Any

from pynamodb.expressions.condition import size as size_of
from pynamodb.expressions.operand import Path
from pynamodb.expressions.update import Action

from chalicelib.instances.ceilings.model import Ceiling


def enter(name: str, holder: str, most: int, at: float) -> bool:
    """Take a place for ``holder``; return False if others hold ``most`` places.

    This costs one call, and two more once in a deployment's life.
    """
    room = _holder(holder).exists() | (size_of(Ceiling.holders) < most)  # type: ignore[no-untyped-call]
    for _ in range(2):
        if Ceiling(name).update_if(Ceiling.name.exists() & room, [_holder(holder).set(at)]):
            return True
        if not _make(name):
            return False
    return False


def leave(name: str, holder: str) -> bool:
    """Give a place back; return True for the one call that did it."""
    return _remove(name, holder, _holder(holder).exists())


def holders(name: str) -> dict[str, float]:
    """Read the holders of places and their times, consistently."""
    try:
        found: Any = Ceiling.get(name, consistent_read=True).holders
    except Ceiling.DoesNotExist:
        return {}
    return {str(holder): float(at) for holder, at in found.as_dict().items()}


def expire(name: str, now: float) -> int:
    """Give back the places whose time is over; return how many.

    This is for ceilings whose times are ends.
    """
    over = [(holder, at) for holder, at in holders(name).items() if at <= now]
    return sum(_remove(name, holder, _holder(holder) == at) for holder, at in over)


def correct(name: str, gone: Iterable[str], missing: Iterable[str], at: float) -> int:
    """Take places from ``gone`` holders and give places to ``missing`` ones; return how many."""
    wrong = sum(leave(name, holder) for holder in gone)
    for holder in missing:
        _make(name)
        actions: list[Action] = [_holder(holder).set(at)]
        Ceiling(name).update(actions=actions)
        wrong += 1
    return wrong


def _make(name: str) -> bool:
    """Make the row; return False if it exists."""
    return Ceiling(name, holders={}).save_if(Ceiling.name.does_not_exist())


def _remove(name: str, holder: str, condition: Any) -> bool:
    return Ceiling(name).update_if(condition, [_holder(holder).remove()])


def _holder(holder: str) -> Path:
    return Path(["holders", holder])
