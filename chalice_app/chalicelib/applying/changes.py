"""Changes the configuration that holds: apply, rollback and clear. Outside the VPC."""

import re
import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, TypedDict

from chalicelib import telemetry
from chalicelib.applying import contents, store
from chalicelib.applying.decision import (
    ConfigurationStanding,
    ConfigurationUpload,
    Pointer,
    noted,
    standing,
    switched,
)
from chalicelib.applying.effects import changed, effects
from chalicelib.applying.model import Change, ConfigurationRow
from chalicelib.apps import store as apps
from chalicelib.apps.errors import TooBusy
from chalicelib.configuration.applied import Applied, Content
from chalicelib.configuration.errors import (
    BadConfiguration,
    ConfigurationLost,
    NoSuchConfiguration,
)
from chalicelib.configuration.shiny_server_conf import report
from chalicelib.configuration.shiny_server_conf.findings import Finding

_ID = re.compile(r"[A-Za-z0-9-]{1,64}\Z")
_LONGEST = 500
"""Characters of one finding in an entry, and of who did it."""
_MOST = 50
"""Errors and warnings in an entry."""
_ATTEMPTS = 12
_PAUSE = 0.02
"""Seconds before another attempt, times the number of the attempt."""

_Decide = Callable[[Pointer], tuple[Pointer, ConfigurationRow] | None]


class Outcome(TypedDict):
    """What became of a change."""

    change: str
    """One of :class:`Change`."""
    configuration: str
    """Its id; empty: none holds."""
    summary: str
    errors: list[str]
    error_count: int
    warnings: list[str]
    warning_count: int
    changed: list[str]
    """Locations of published apps whose settings are others now."""


def new_id(now: float) -> str:
    """Return the id of a configuration that a command applies."""
    return f"{datetime.fromtimestamp(now, UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}"


def on_demand(event: Mapping[str, Any], bucket: str, clock: Callable[[], float]) -> Outcome:
    """Carry out what the command asks for.

    ``event`` has ``by`` and an ``action``: ``apply`` with ``id``, the id of a configuration that is
    in the bucket, and ``notes`` about what it names; ``rollback``, with an ``id`` or without; or
    ``clear``. Raise :class:`BadConfiguration`, :class:`NoSuchConfiguration` or :class:`TooBusy`.
    """
    action, by, wanted = event.get("action"), event.get("by"), event.get("id")
    notes = event.get("notes", [])
    if (
        event.keys() - {"action", "by", "id", "notes"}
        or action not in ("apply", "rollback", "clear")
        or not isinstance(by, str)
        or not (isinstance(wanted, str) and _ID.match(wanted) if wanted is not None else True)
        or (action == "apply" and wanted is None)
        or not (isinstance(notes, list) and all(isinstance(note, str) for note in notes))
    ):
        raise BadConfiguration(
            'the payload is not {"action": "apply", "id": ID, "by": NAME}; other actions are '
            '"rollback" and "clear"'
        )
    if action == "apply":
        row = apply(bucket, str(wanted), by, clock(), notes)
    elif action == "rollback":
        row = rollback(bucket, wanted, by, clock())
    else:
        row = clear(bucket, by, clock())
    if row is None:
        raise BadConfiguration("nothing was done: an upload of the same file was faster")
    return outcome(row)


def outcome(row: ConfigurationRow) -> Outcome:
    """Return an entry as a document. Pure."""
    return {
        "change": str(row.change),
        "configuration": row.configuration or "",
        "summary": row.summary or "",
        "errors": list(row.errors or ()),
        "error_count": int(row.error_count),
        "warnings": list(row.warnings or ()),
        "warning_count": int(row.warning_count),
        "changed": list(row.changed or ()),
    }


def apply(
    bucket: str,
    configuration_id: str,
    by: str,
    now: float,
    notes: Iterable[str] = (),
    upload: ConfigurationUpload | None = None,
) -> ConfigurationRow | None:
    """Let a configuration in the bucket hold, or record why it cannot; return the entry.

    With errors, nothing else changes. Return None for an ``upload`` that was dealt with before, or
    after which another one was. Raise :class:`ConfigurationLost` or :class:`TooBusy`.
    """
    content = contents.fetch_content(bucket, configuration_id)
    reading = content.read()
    if reading.configuration is None:
        return refuse(
            bucket,
            configuration_id,
            content.file,
            f"{len(reading.errors)} error{'' if len(reading.errors) == 1 else 's'}",
            by,
            now,
            reading.errors,
            upload,
        )
    after = Applied(configuration_id, content, reading.configuration)
    there = apps.everywhere()
    warnings = [*map(str, reading.warnings), *notes]

    def decide(before: Pointer) -> tuple[Pointer, ConfigurationRow] | None:
        if upload is not None:
            match standing(before, upload):
                case ConfigurationStanding.REPEATED | ConfigurationStanding.OUTDATED:
                    return None
                case ConfigurationStanding.OVERTAKEN:
                    return noted(before, upload), _overtaken(configuration_id, content, by, now)
        row = _row(Change.APPLIED, configuration_id, by, now)
        row.file = content.file
        row.summary = " ".join(line.strip() for line in report.summary(reading))
        row.warnings, row.warning_count = _shown(warnings), len(warnings)
        row.changed = changed(effects(holding(bucket, before), after, there))
        at = upload.at if upload is not None else now
        return switched(before, configuration_id, at, upload), row

    return _change(bucket, decide)


def refuse(
    bucket: str,
    configuration_id: str,
    file: str,
    why: str,
    by: str,
    now: float,
    errors: Iterable[Finding] = (),
    upload: ConfigurationUpload | None = None,
) -> ConfigurationRow | None:
    """Record why a file cannot be applied; return None as :func:`apply` does."""
    found = list(map(str, errors))

    def decide(before: Pointer) -> tuple[Pointer, ConfigurationRow] | None:
        if upload is not None and standing(before, upload) in (
            ConfigurationStanding.REPEATED,
            ConfigurationStanding.OUTDATED,
        ):
            return None
        row = _row(Change.REFUSED, configuration_id, by, now)
        row.file, row.summary = file, why
        row.errors, row.error_count = _shown(found), len(found)
        return noted(before, upload), row

    return _change(bucket, decide)


def rollback(bucket: str, configuration_id: str | None, by: str, now: float) -> ConfigurationRow:
    """Let a configuration of the history hold, by default the one before; return the entry.

    Raise :class:`NoSuchConfiguration`, :class:`ConfigurationLost`, :class:`BadConfiguration` if it
    has errors by today's rules, or :class:`TooBusy`.
    """
    there = apps.everywhere()

    def decide(before: Pointer) -> tuple[Pointer, ConfigurationRow]:
        wanted = configuration_id or before.previous
        if wanted is None:
            raise NoSuchConfiguration(
                "there was no configuration before this one; `sheen config history` lists all"
            )
        if not store.can_hold(wanted, before, store.history()):
            raise NoSuchConfiguration(
                f"{wanted} is no configuration that was applied lately; `sheen config history` "
                "lists them"
            )
        content = contents.fetch_content(bucket, wanted)
        reading = content.read()
        if reading.configuration is None:
            raise BadConfiguration(
                f"{wanted} has {len(reading.errors)} errors by the rules of this release, the first"
                f" is {reading.errors[0]}"
            )
        row = _row(Change.ROLLED_BACK, wanted, by, now)
        row.file = content.file
        row.warning_count = len(reading.warnings)
        row.summary = " ".join(line.strip() for line in report.summary(reading))
        after = Applied(wanted, content, reading.configuration)
        row.changed = changed(effects(holding(bucket, before), after, there))
        return switched(before, wanted, now), row

    return _certain(_change(bucket, decide))


def clear(bucket: str, by: str, now: float) -> ConfigurationRow:
    """Let no configuration hold; return the entry. Raise :class:`TooBusy`."""
    there = apps.everywhere()

    def decide(before: Pointer) -> tuple[Pointer, ConfigurationRow]:
        row = _row(Change.CLEARED, None, by, now)
        row.summary = "only published apps and their own locations are served"
        row.changed = changed(effects(holding(bucket, before), None, there))
        return switched(before, None, now), row

    return _certain(_change(bucket, decide))


def holding(bucket: str, pointer: Pointer) -> Applied | None:
    """Return the configuration that holds; None: there is none, or it cannot be read."""
    if pointer.configuration is None:
        return None
    try:
        return contents.fetch(bucket, pointer.configuration)
    except ConfigurationLost as error:
        telemetry.logger.warning("configuration lost", extra={"why": str(error)})
        return None


def _change(bucket: str, decide: _Decide) -> ConfigurationRow | None:
    for attempt in range(_ATTEMPTS):
        time.sleep(_PAUSE * attempt)
        before = store.pointer()
        decided = decide(before)
        if decided is None:
            return None
        after, row = decided
        if store.write(before, after, row):
            telemetry.logger.info(
                "configuration",
                extra={"change": row.change, "configuration": row.configuration, "by": row.by},
            )
            store.tidy(bucket, after)
            return row
    raise TooBusy("others change the configuration all the time; try again")


def _certain(row: ConfigurationRow | None) -> ConfigurationRow:
    assert row is not None, "only an upload may be left alone"
    return row


def _row(change: Change, configuration_id: str | None, by: str, now: float) -> ConfigurationRow:
    row = ConfigurationRow(configuration=configuration_id, by=by[:_LONGEST], at=now)
    row.change = change.value
    return row


def _overtaken(configuration_id: str, content: Content, by: str, now: float) -> ConfigurationRow:
    row = _row(Change.REFUSED, configuration_id, by, now)
    row.file = content.file
    row.summary = "a command has changed the configuration since this upload; upload it again"
    return row


def _shown(findings: Iterable[str]) -> list[str]:
    return [
        text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…" for text in [*findings][:_MOST]
    ]
