"""Decide how many spare instances to claim, and claim them.

The decisions are pure; :func:`refill` acts. This runs outside the VPC.
"""

from collections.abc import Iterable, Mapping

from chalicelib import telemetry
from chalicelib.aws import streams
from chalicelib.configuration.app_settings import SIZES
from chalicelib.errors import Malformed
from chalicelib.instances import spares
from chalicelib.instances.ceilings.errors import TooManyInstances
from chalicelib.instances.model import Instance
from chalicelib.instances.state import InstanceState, is_overdue
from chalicelib.scheduler.decision import AFTER_FAILURE

MOST = 50
"""The most spares of one size."""


class BadSpares(Malformed):
    """``SHEEN_SPARES`` is not a list of sizes and numbers."""


def parse(text: str) -> dict[str, int]:
    """Parse ``large=1,small=2``; raise :class:`BadSpares` for anything else.

    >>> parse("large=1, small=2")
    {'large': 1, 'small': 2}
    """
    wanted = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        size, _, number = part.partition("=")
        if size not in SIZES or not number.isdigit() or int(number) > MOST:
            raise BadSpares(
                f'SHEEN_SPARES: "{part}" is not <size>=<number up to {MOST}>, as in '
                f"large=1,small=2; sizes: {', '.join(SIZES)}"
            )
        wanted[size] = int(number)
    return wanted


def missing(pool: Iterable[Instance], wanted: int, now: float) -> int:
    """Return how many spares of a size to claim; a negative number if there are too many.

    Return 0 instead of a positive number shortly after a spare failed. What cannot start must not
    be started over and over.
    """
    pool = list(pool)
    coming = [
        row
        for row in pool
        if row.state == InstanceState.STARTING
        and not is_overdue(row.state, float(row.claimed_at), now)
    ]
    short = wanted - len(coming) - sum(spares.is_free(row) for row in pool)
    if short > 0 and any(
        row.failure and row.stopped_at is not None and now - float(row.stopped_at) < AFTER_FAILURE
        for row in pool
    ):
        return 0
    return short


def refill(wanted: Mapping[str, int], now: float, most: int = 0) -> int:
    """Claim the missing spares of each size; return how many were claimed.

    Two refills at once may claim one spare too many, which the sweeper retires. No spare is claimed
    beyond ``most`` instances in the deployment (0: no limit).
    """
    claimed = 0
    for size, number in wanted.items():
        for _ in range(missing(spares.in_pool(size), number, now)):
            try:
                instance = spares.claim(size, now, most)
            except TooManyInstances as error:
                telemetry.logger.warning(
                    "no spare is claimed", extra={"size": size, "why": str(error)}
                )
                return claimed
            telemetry.logger.info(
                "a spare is claimed", extra={"instance": instance.instance_id, "size": size}
            )
            claimed += 1
    return claimed


def left(change: streams.ItemChange) -> str | None:
    """Return the size of the spare that left its pool by a change of its row, or None. Pure.

    A spare leaves its pool when it is bound or stopped.
    """
    new, old = change.new, change.old
    if not spares.is_spare(new.get("version_id", {}).get("S", "")):
        return None
    bound = "S" in new.get("bound_to", {}) and "S" not in old.get("bound_to", {})
    stopped = (
        new["state"]["S"] == InstanceState.STOPPED
        and old.get("state", {}).get("S") != InstanceState.STOPPED
    )
    return new["size"]["S"] if bound or stopped else None
