"""Requests for syncs, merged by target, so that a thousand files lead to one or two runs.

A caller writes a row and then tries to get the lease of its way. If it gets the lease, it starts
the state machine. When a run ends, it gives its lease back and then looks for rows again. So no
row is left without a run: the row was written before that look, or its writer claims the lease
after it was given back.
"""

import hashlib
import json
import secrets
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any, TypeVar

from chalicelib.aws import clients
from chalicelib.syncs.definition import EVERYTHING, SyncDefinition
from chalicelib.syncs.errors import BadSync
from chalicelib.syncs.keys import unfit
from chalicelib.syncs.model import SyncRequest, Way

T = TypeVar("T")
_LEASE = "lease/"
MOST_TAKEN = 1000
"""The most requests that one step of a run takes."""
CLOCKS_DIFFER = 60.0
"""The most seconds by which the clocks of two functions differ."""


def ways_of(definition: SyncDefinition, prefix: str) -> dict[Way, str]:
    """Return the ways that copy objects with a prefix, and the part that each copies. Pure.

    DataSync copies an urgent object only when asked for it by name, so the two ways never write
    the same file.
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
    """Return a requested prefix; raise :class:`BadSync` if it is invalid."""
    if prefix and (prefix.startswith("/") or unfit(prefix) is not None):
        raise BadSync(
            f'prefix "{prefix}": it is the beginning of keys below the sync\'s own '
            "prefix, without a slash in front, as in sales/2026/"
        )
    return prefix


def ask_for_prefix(
    definition: SyncDefinition, prefix: str, trigger: str, now: float
) -> dict[Way, str]:
    """Request everything below a prefix; return a stamp for each way.

    The run that answers the request has the stamp. A stamp begins with the id of the first run
    that may answer it, or with the time from which to look, and a slash.
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
    """Request one urgent object; return the way by which it is copied."""
    way = (
        Way.TRANSFER
        if size > definition.urgent_limit or _is_asked(definition.name, Way.TRANSFER, relative)
        else Way.COPY
    )
    _write(definition.name, way, "key", relative, "urgent", now, size=size)
    return way


def _is_asked(sync: str, way: Way, relative: str) -> bool:
    """Return whether the object, larger at that time, is already on its way.

    The new copy must come after that one.
    """
    try:
        SyncRequest.get(sync, _row(way, "key", relative), consistent_read=True)
    except SyncRequest.DoesNotExist:
        return False
    return True


def _row(way: Way, kind: str, target: str) -> str:
    return f"{way}/{kind}/{hashlib.sha256(target.encode(errors='surrogatepass')).hexdigest()[:40]}"


def _write(
    sync: str,
    way: Way,
    kind: str,
    target: str,
    trigger: str,
    now: float,
    *,
    size: int = 0,
    stamp: str = "",
) -> None:
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
    """Read the requests that are not done, keys before prefixes."""
    return list(
        SyncRequest.query(
            sync, SyncRequest.request.startswith(f"{way}/"), consistent_read=True, limit=limit
        )
    )


def is_prefix(row: SyncRequest) -> bool:
    """Return whether a row requests a prefix, rather than one key."""
    return "/prefix/" in row.request


def of_one_kind(rows: list[SyncRequest]) -> list[SyncRequest]:
    """Return the rows that one transfer can serve: all prefixes, or else the first keys. Pure."""
    prefixes = [each for each in rows if is_prefix(each)]
    return prefixes or rows[:MOST_TAKEN]


def as_of(definition: SyncDefinition, way: Way, rows: Iterable[SyncRequest]) -> float | None:
    """Return the time as of which a way's files are complete once these rows are done. Pure.

    Return None if the rows cover only a part.
    """
    whole = ways_of(definition, "").get(way)
    return max(
        (float(each.asked_at) for each in rows if is_prefix(each) and each.target == whole),
        default=None,
    )


def take(rows: Iterable[SyncRequest], run_id: str) -> list[SyncRequest]:
    """Mark rows as taken by a run; return those that have not changed since they were read."""

    def mark(row: SyncRequest) -> SyncRequest | None:
        as_read = SyncRequest.asked_at == row.asked_at
        return row if row.update_if(as_read, [SyncRequest.run_id.set(run_id)]) else None

    return [row for row in _each(mark, rows) if row is not None]


def done(rows: Iterable[SyncRequest]) -> None:
    """Forget rows that are done, except those requested again since they were read."""
    _each(lambda row: row.delete_if(SyncRequest.asked_at == row.asked_at), rows)


def forget(sync: str) -> None:
    """Forget all requests for a sync; a run that has the lease gives it back itself."""
    for way in Way:
        done(pending(sync, way, None))


def _each(act: Callable[[SyncRequest], T], rows: Iterable[SyncRequest]) -> list[T]:
    """Apply ``act`` to several rows at a time: conditional writes cannot be batched."""
    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(act, rows))


def new_run_id(way: Way, now: float) -> str:
    """Return a run's id. Ids sort by time."""
    return f"{_time(now)}-{secrets.token_hex(3)}-{way}"


def _time(now: float) -> str:
    return f"{datetime.fromtimestamp(now, UTC):%Y%m%dT%H%M%SZ}"


def start(sync: str, way: Way, machine: str, now: float) -> str | None:
    """Start a run unless one runs; return the id of the started run, or None."""
    run_id = new_run_id(way, now)
    lease = SyncRequest(sync, _LEASE + way, run_id=run_id, asked_at=now)
    if not lease.save_if(SyncRequest.sync.does_not_exist()):
        return None
    begin(sync, way, run_id, machine)
    return run_id


def begin(sync: str, way: Way, run_id: str, machine: str) -> None:
    """Start the state machine of a run that has the lease; a repeated call does nothing."""
    clients.client("stepfunctions").start_execution(
        stateMachineArn=machine,
        name=execution_name(sync, run_id),
        input=json.dumps({"sync": sync, "way": str(way), "run": run_id}),
    )


def execution_name(sync: str, run_id: str) -> str:
    """Return the name of a run's execution (at most 80 characters)."""
    return f"{sync[:40]}-{run_id}"


def lease(sync: str, way: Way) -> SyncRequest | None:
    """Read the lease of the run that runs now, or None."""
    try:
        return SyncRequest.get(sync, _LEASE + way, consistent_read=True)
    except SyncRequest.DoesNotExist:
        return None


def give_back(sync: str, way: Way, run_id: str) -> None:
    """End a run's lease; a repeated call does nothing."""
    SyncRequest(sync, _LEASE + way).delete_if(SyncRequest.run_id == run_id)
