"""What is asked of syncs: merged by what it is about, so that a thousand files are one run or two and never a thousand.

Who asks writes a row and then tries to get the lease of its way; who gets it starts the state machine. A run that ends gives its lease
back and then looks for rows again. So no row is left without a run: it was written either before that look, or before a claim that came
after the lease was given back.
"""

import hashlib
import json
import secrets
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any, TypeVar

from pynamodb.exceptions import DeleteError, PutError, UpdateError

from chalicelib.aws import clients
from chalicelib.aws.tables import refused
from chalicelib.syncs.definition import EVERYTHING, SyncDefinition
from chalicelib.syncs.errors import BadSync
from chalicelib.syncs.keys import unfit
from chalicelib.syncs.model import SyncRequest, Way

T = TypeVar("T")
_LEASE = "lease/"
MOST_TAKEN = 1000
"""Requests that one step of a run takes."""
CLOCKS_DIFFER = 60.0
"""Seconds between the clocks of two functions, at most."""


def ways_of(definition: SyncDefinition, prefix: str) -> dict[Way, str]:
    """Return by which ways what begins with a prefix comes, and the part of it that each brings. Pure.

    What is urgent is never DataSync's but by name, so that the two never write the same file.
    """
    urgent = definition.urgent
    if not urgent:
        return {Way.TRANSFER: prefix}
    if urgent == EVERYTHING or prefix.startswith(urgent):
        return {Way.COPY: prefix}
    if urgent.startswith(prefix):
        return {Way.TRANSFER: prefix, Way.COPY: urgent}
    return {Way.TRANSFER: prefix}


def check_prefix(prefix: str) -> str:
    """Return a prefix that was asked for; raise :class:`BadSync`."""
    if prefix and (prefix.startswith("/") or unfit(prefix) is not None):
        raise BadSync(
            f'prefix "{prefix}": it is the beginning of keys below the sync\'s own prefix, without a slash in front, as in sales/2026/'
        )
    return prefix


def ask_for_prefix(definition: SyncDefinition, prefix: str, trigger: str, now: float) -> dict[Way, str]:
    """Ask for everything below a prefix; return a stamp for each way that it comes by, which its run will name.

    A stamp begins with the first run's id that may be its run's, and a slash.
    """
    stamps: dict[Way, str] = {}
    for way, part in ways_of(definition, check_prefix(prefix)).items():
        stamps[way] = _new_stamp(definition.name, way, now)
        _write(definition.name, way, "prefix", part, trigger, now, stamp=stamps[way])
    return stamps


def _new_stamp(sync: str, way: Way, now: float) -> str:
    running = lease(sync, way)
    since = running.run_id if running is not None else _time(now - CLOCKS_DIFFER)
    return f"{since}/{secrets.token_hex(8)}"


def ask_for_object(definition: SyncDefinition, relative: str, size: int, now: float) -> Way:
    """Ask for one urgent object; return by which way it comes."""
    way = Way.TRANSFER if size > definition.urgent_limit or _is_asked(definition.name, Way.TRANSFER, relative) else Way.COPY
    _write(definition.name, way, "key", relative, "urgent", now, size=size)
    return way


def _is_asked(sync: str, way: Way, relative: str) -> bool:
    """Whether the object, larger then, is on its way already: what comes now must come after it."""
    try:
        SyncRequest.get(sync, _row(way, "key", relative), consistent_read=True)
    except SyncRequest.DoesNotExist:
        return False
    return True


def _row(way: Way, kind: str, target: str) -> str:
    return f"{way}/{kind}/{hashlib.sha256(target.encode(errors='surrogatepass')).hexdigest()[:40]}"


def _write(sync: str, way: Way, kind: str, target: str, trigger: str, now: float, *, size: int = 0, stamp: str = "") -> None:
    actions: list[Any] = [
        SyncRequest.target.set(target),
        SyncRequest.size.set(size),
        SyncRequest.trigger.set(trigger),
        SyncRequest.asked_at.set(now),
        SyncRequest.run_id.remove(),
    ]
    if stamp:
        actions.append(SyncRequest.stamps.add({stamp}))
    SyncRequest(sync, _row(way, kind, target)).update(actions=actions)


def pending(sync: str, way: Way, limit: int | None = MOST_TAKEN) -> list[SyncRequest]:
    """Read what is asked and not done, prefixes after keys."""
    return list(SyncRequest.query(sync, SyncRequest.request.startswith(f"{way}/"), consistent_read=True, limit=limit))


def is_prefix(row: SyncRequest) -> bool:
    """Whether it asks for a prefix, else for one key."""
    return "/prefix/" in row.request


def of_one_kind(rows: list[SyncRequest]) -> list[SyncRequest]:
    """Return those of the rows that one transfer can bring: prefixes before keys, or else the first keys. Pure."""
    prefixes = [each for each in rows if is_prefix(each)]
    return prefixes or rows[:MOST_TAKEN]


def as_of(definition: SyncDefinition, way: Way, rows: Iterable[SyncRequest]) -> float | None:
    """Return the time as of which all that comes by a way is there when these rows are done; None when they are about a part. Pure."""
    whole = ways_of(definition, "").get(way)
    return max((float(each.asked_at) for each in rows if is_prefix(each) and each.target == whole), default=None)


def take(rows: Iterable[SyncRequest], run_id: str) -> list[SyncRequest]:
    """Mark rows as taken by a run; return those that are unchanged since they were read."""

    def mark(row: SyncRequest) -> SyncRequest | None:
        try:
            row.update(actions=[SyncRequest.run_id.set(run_id)], condition=SyncRequest.asked_at == row.asked_at)
        except UpdateError as error:
            if refused(error):
                return None
            raise
        return row

    return [row for row in _each(mark, rows) if row is not None]


def done(rows: Iterable[SyncRequest]) -> None:
    """Forget rows that have been dealt with, unless the same was asked again since they were read."""

    def forget(row: SyncRequest) -> None:
        try:
            row.delete(condition=SyncRequest.asked_at == row.asked_at)
        except DeleteError as error:
            if not refused(error):
                raise

    _each(forget, rows)


def forget(sync: str) -> None:
    """Forget all that is asked of a sync; a run that has the lease gives it back itself."""
    for way in Way:
        done(pending(sync, way, None))


def _each(act: Callable[[SyncRequest], T], rows: Iterable[SyncRequest]) -> list[T]:
    """Conditional writes go one by one, so several at a time."""
    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(act, rows))


def new_run_id(way: Way, now: float) -> str:
    """Return a run's id, which sorts by time."""
    return f"{_time(now)}-{secrets.token_hex(3)}-{way}"


def _time(now: float) -> str:
    return f"{datetime.fromtimestamp(now, UTC):%Y%m%dT%H%M%SZ}"


def start(sync: str, way: Way, machine: str, now: float) -> str | None:
    """Start a run if none runs; return the id of the run that was started."""
    run_id = new_run_id(way, now)
    lease = SyncRequest(sync, _LEASE + way, run_id=run_id, asked_at=now)
    try:
        lease.save(condition=SyncRequest.sync.does_not_exist())
    except PutError as error:
        if refused(error):
            return None
        raise
    begin(sync, way, run_id, machine)
    return run_id


def begin(sync: str, way: Way, run_id: str, machine: str) -> None:
    """Start the state machine of a run that has the lease; the second time it does nothing."""
    clients.client("stepfunctions").start_execution(
        stateMachineArn=machine, name=execution_name(sync, run_id), input=json.dumps({"sync": sync, "way": str(way), "run": run_id})
    )


def execution_name(sync: str, run_id: str) -> str:
    """Return the name of a run's execution (80 characters at most)."""
    return f"{sync[:40]}-{run_id}"


def lease(sync: str, way: Way) -> SyncRequest | None:
    """Read who runs."""
    try:
        return SyncRequest.get(sync, _LEASE + way, consistent_read=True)
    except SyncRequest.DoesNotExist:
        return None


def give_back(sync: str, way: Way, run_id: str) -> None:
    """End a run's lease; the second time it does nothing."""
    try:
        SyncRequest(sync, _LEASE + way).delete(condition=SyncRequest.run_id == run_id)
    except DeleteError as error:
        if not refused(error):
            raise
