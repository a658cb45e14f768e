"""``sheen sync define`` and ``sheen syncs``: what is copied to EFS, and the outcome of the runs."""

import time
from collections.abc import Sequence
from typing import Any

from chalicelib.apps import store as apps
from chalicelib.apps.model import App
from chalicelib.configuration.deployment import Settings
from chalicelib.errors import Malformed
from chalicelib.syncs import access, runs, store
from chalicelib.syncs.definition import SyncDefinition
from chalicelib.syncs.errors import BadSync
from chalicelib.syncs.model import Sync, SyncRun
from sheen.console import say, table

RESERVED = ("define", "remove")
"""Words of the command, which no sync may have as its name."""


class BadWords(Malformed):
    """The words on the command line are not what the command takes."""


def define(settings: Settings, name: str, changes: Sequence[str]) -> None:
    """Create or change a sync by ``KEY=VALUE``, then show it. ``KEY=`` alone restores the default.

    Raise :class:`BadWords` or :class:`chalicelib.syncs.errors.BadSync`; then nothing has changed.
    """
    if name in RESERVED:
        raise BadWords(f'"{name}" is a word of the command; call the sync something else')
    wanted: dict[str, Any] = {}
    for change in changes:
        key, equals, value = change.partition("=")
        if not equals or not key:
            raise BadWords(f'"{change}" is not KEY=VALUE, as in "schedule=rate(1 hour)"')
        wanted[key] = value or None
    definition = store.define(name, wanted, settings.bucket, time.time(), settings.other_buckets)
    show_definition(definition)


def show_definition(definition: SyncDefinition) -> None:
    """List a sync's settings."""
    values = definition.settings()
    table(("SETTING", "VALUE"), [(key, _plain(value)) for key, value in values.items()])


def _plain(value: object) -> str:
    match value:
        case bool():
            return str(value).lower()
        case float():
            return f"{value:g}"
        case list():
            return " ".join(str(part) for part in value)
        case _:
            return str(value)


def show_syncs(settings: Settings) -> None:
    """List the syncs: their source, next run, last outcome and the age of the data."""
    rows = store.everything()
    if not rows:
        say("no syncs yet; `sheen sync define NAME` makes one, of data/NAME/ in the bucket")
        return
    now = time.time()
    table(
        ("SYNC", "FROM", "SCHEDULE", "NEXT", "LAST RUN", "OUTCOME", "DATA AS OF"),
        [_line(row, settings, next(iter(runs.of(row.name, 1)), None), now) for row in rows],
    )
    found = apps.everywhere()
    for row in rows:
        for hint in refused(row, settings.bucket, found):
            say(hint)


def refused(row: Sync, own_bucket: str, found: Sequence[App]) -> list[str]:
    """Return a hint on how to let in apps that ask for a sync and may not use it, if any."""
    try:
        definition = row.definition(own_bucket)
    except BadSync:
        return []
    shut_out = [
        app.name
        for app, _mode in access.asking(row.name, found)
        if not definition.lets_in(app.name)
    ]
    if not shut_out:
        return []
    locations = " ".join((*definition.apps, *shut_out))
    return [
        (
            f"{row.name} is not given to {', '.join(shut_out)}: `sheen sync define {row.name} "
            f"apps='{locations}'` lets them in"
        )
    ]


def _line(row: Sync, settings: Settings, last: SyncRun | None, now: float) -> tuple[str, ...]:
    try:
        definition = row.definition(settings.bucket)
    except BadSync as error:
        return row.name, str(error), "-", "-", "-", "-", "-"
    return (
        row.name,
        f"s3://{definition.bucket}/{definition.prefix}",
        definition.schedule,
        f"in {span(float(row.due_at) - now)}" if row.due_at else "-",
        f"{span(now - float(last.started_at))} ago" if last else "never",
        outcome(last) if last else "-",
        data_age(row, definition, now),
    )


def data_age(row: Sync, definition: SyncDefinition, now: float) -> str:
    """Return how old the data may be. Everything that was in S3 at that time has been copied."""
    as_of = store.data_as_of(row, definition)
    return f"{span(now - as_of)} ago" if as_of else "not yet complete"


def outcome(run: SyncRun) -> str:
    """Return a run's status and counts in a few words."""
    counted = f"{int(run.files_copied):,} copied"
    if run.files_deleted:
        counted += f", {int(run.files_deleted):,} deleted"
    if run.files_failed:
        counted += f", {int(run.files_failed):,} failed"
    return f"{run.status}: {counted}"


def show_runs(name: str) -> None:
    """List a sync's last runs and their failures."""
    store.find(name)
    rows = runs.of(name)
    if not rows:
        say(f"{name} has not run yet; `sheen sync {name}` runs it")
        return
    table(
        (
            "RUN",
            "WAY",
            "TRIGGER",
            "STATUS",
            "SECONDS",
            "SEEN",
            "COPIED",
            "SKIPPED",
            "DELETED",
            "FAILED",
            "BYTES",
            "MESSAGE",
        ),
        [
            (
                row.run_id,
                row.way,
                row.trigger or "-",
                row.status,
                f"{float(row.ended_at or time.time()) - float(row.started_at):.1f}",
                *(
                    f"{int(getattr(row, f'files_{what}')):,}"
                    for what in ("seen", "copied", "skipped", "deleted", "failed")
                ),
                f"{int(row.bytes_copied):,}",
                row.message,
            )
            for row in rows
        ],
    )
    for row in rows:
        for path, why in row.failures:
            say(f"{row.run_id}: {path}: {why}")


def span(seconds: float) -> str:
    """Return a span of time as people say it: ``45 s``, ``12 min``, ``3 h``, ``5 d``."""
    seconds = max(0.0, seconds)
    for limit, unit, name in ((90, 1, "s"), (5400, 60, "min"), (129_600, 3600, "h")):
        if seconds < limit:
            return f"{seconds / unit:.0f} {name}"
    return f"{seconds / 86400:.0f} d"
