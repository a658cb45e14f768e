"""``sheen config apply``, ``show``, ``history``, ``rollback`` and ``clear``."""

import getpass
import json
import socket
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from chalicelib.applying import changes, contents, store
from chalicelib.applying.gathering import LARGEST_TEXT, Gathered, OnDisk, gather
from chalicelib.applying.model import Change, ConfigurationRow
from chalicelib.configuration.deployment import Settings
from chalicelib.configuration.errors import ConfigurationLost, NoSuchConfiguration
from chalicelib.configuration.shiny_server_conf import report
from chalicelib.configuration.shiny_server_conf.differences import differences
from sheen.config_check import show_report
from sheen.console import progress, say, table
from sheen.functions import call


def gathered_from(path: Path) -> Gathered:
    """Read a file of this machine with what it names."""
    with path.open("rb") as file:
        content = file.read(LARGEST_TEXT + 1)
    return gather(content, str(path.absolute()), OnDisk())


def apply(settings: Settings, path: Path) -> int:
    """Apply a file, and say what that changes; return the exit status.

    A file with errors is not uploaded.
    """
    gathered = gathered_from(path)
    reading = gathered.content.read()
    if not show_report(reading, path) or reading.configuration is None:
        return 1
    for note in gathered.notes:
        for line in report.wrapped(f"warning: {note}"):
            progress(line)
    before = changes.holding(settings.bucket, store.pointer())
    lines = differences(before.configuration if before is not None else None, reading.configuration)
    say()
    say("what changes:" if lines else "no location, target or setting changes")
    for line in lines:
        say(line)
    say()
    configuration_id = changes.new_id(time.time())
    contents.put(settings.bucket, configuration_id, gathered.content, gathered.passwords)
    return _tell(
        _ask(settings, {"action": "apply", "id": configuration_id, "notes": gathered.notes[:50]})
    )


def rollback(settings: Settings, configuration_id: str | None) -> int:
    """Let a configuration of the history hold, by default the one before.

    Return the exit status. Raise :class:`NoSuchConfiguration`.
    """
    return _tell(_ask(settings, {"action": "rollback", "id": configuration_id}))


def clear(settings: Settings) -> int:
    """Let no configuration hold; return the exit status."""
    return _tell(_ask(settings, {"action": "clear"}))


def _ask(settings: Settings, event: Mapping[str, Any]) -> changes.Outcome:
    by = f"{getpass.getuser()} at {socket.gethostname()}"
    outcome: changes.Outcome = json.loads(call(settings, "config_change", {**event, "by": by}))
    return outcome


def _tell(outcome: changes.Outcome) -> int:
    if outcome["change"] == Change.REFUSED:
        _show_errors(outcome["configuration"], outcome["summary"], outcome["errors"])
        return 1
    if outcome["configuration"]:
        say(f"{outcome['configuration']} is {outcome['change']}; pages follow it in two seconds")
    else:
        say(f"no configuration holds any more: {outcome['summary']}")
    if outcome["changed"]:
        names = ", ".join(outcome["changed"])
        for line in report.wrapped(
            f"settings change for {names}: new sessions get new workers, open ones go on"
        ):
            say(line)
    return 0


def show(settings: Settings, configuration_id: str | None, *, text: bool) -> int:
    """Show a configuration, by default the one that holds: its text, or the site as a tree.

    Of one that was refused, show the errors and return 1. Raise :class:`NoSuchConfiguration`.
    """
    pointer, rows = store.pointer(), store.history()
    wanted = configuration_id or pointer.configuration
    if wanted is None:
        raise NoSuchConfiguration(
            "no configuration holds; `sheen config apply FILE` applies one, and `sheen config "
            "history` lists what was applied"
        )
    row = next((each for each in rows if each.configuration == wanted), None)
    if row is None and wanted not in (pointer.configuration, pointer.previous):
        raise NoSuchConfiguration(f"there is no {wanted}; `sheen config history` lists all")
    if row is not None and row.change == Change.REFUSED and not text:
        _show_errors(wanted, str(row.summary), list(row.errors or ()))
        return 1
    content = contents.fetch_content(settings.bucket, wanted)
    if text:
        say(content.text.removesuffix("\n"))
        return 0
    configuration = content.read().configuration
    if configuration is None:
        raise ConfigurationLost(
            f"{wanted} has errors by the rules of this release; `sheen config show {wanted} "
            "--text` shows the file"
        )
    say(f"{wanted}{' holds' if wanted == pointer.configuration else ''}: {content.file}")
    if row is not None:
        say(f"{row.change} {_when(row)} by {row.by}")
    for folder, templates in content.templates.items():
        say(f"templates of {folder}: {', '.join(sorted(templates)) or 'none'}")
    for lines in report.sites(configuration):
        say()
        for line in lines:
            say(line)
    return 0


def show_history() -> None:
    """List the last changes, the newest first, and mark the configuration that holds."""
    pointer, rows = store.pointer(), store.history()
    if not rows:
        say("no configuration was ever applied; `sheen config apply FILE` applies one")
        return
    newest = next((row for row in rows if row.change != Change.REFUSED), None)
    table(
        ("CONFIGURATION", "", "WHAT", "WHEN", "BY", "REPORT"),
        [
            (
                row.configuration or "none",
                "active" if row is newest and row.configuration == pointer.configuration else "",
                str(row.change),
                _when(row),
                row.by,
                _report(row),
            )
            for row in rows
        ],
    )


def _report(row: ConfigurationRow) -> str:
    if row.change == Change.REFUSED:
        return str(row.summary)
    count = int(row.warning_count)
    return f"{count} warning{'' if count == 1 else 's'}" if row.configuration else ""


def _show_errors(configuration_id: str, summary: str, errors: list[str]) -> None:
    for error in errors:
        for line in report.wrapped(error):
            progress(line)
    progress(f"sheen: {configuration_id} was refused: {summary}; nothing has changed")


def _when(row: ConfigurationRow) -> str:
    return datetime.fromtimestamp(float(row.at), UTC).strftime("%Y-%m-%d %H:%M:%SZ")
