"""``sheen apps`` and ``sheen status``: what is published, and what runs."""

import time

from chalicelib.apps import store as apps
from chalicelib.apps.model import App
from chalicelib.configuration.errors import BadAppSetting
from chalicelib.instances import census
from chalicelib.instances import store as instances
from chalicelib.instances.model import Instance
from sheen.console import say, table
from sheen.deployment import url_of


def show_apps() -> None:
    """List the apps with their state, sessions and URL."""
    rows = apps.everywhere()
    if not rows:
        say("no apps yet; `sheen publish DIR` publishes one")
        return
    now = time.time()
    running = census.living(instances.everywhere(), now)
    own = {app.name: [row for row in running if row.app == app.name] for app in rows}
    table(
        ("LOCATION", "STATE", "VISIBILITY", "SESSIONS", "VERSION", "URL"),
        [
            (
                app.location,
                "archived" if app.archived_at is not None else census.app_state(own[app.name]),
                _visibility(app),
                str(census.sessions(own[app.name], now)),
                app.active_version or "-",
                url_of(app.location),
            )
            for app in rows
        ],
    )


def _visibility(app: App) -> str:
    try:
        return app.resolved().settings.visibility
    except BadAppSetting:
        return "(settings cannot be read)"


def show_instances() -> None:
    """List the living instances with their sessions and age."""
    now = time.time()
    every = instances.everywhere()
    rows = [*census.living(every, now), *census.spare(every, now)]
    if not rows:
        say("nothing runs: no instance, no worker, no session")
        return
    table(
        ("INSTANCE", "APP", "STATE", "PHASE", "WORKER", "ADDRESS", "SESSIONS", "SEATS", "AGE"),
        [
            (
                row.instance_id,
                row.app or f"(spare, {row.size})",
                row.state,
                row.phase,
                row.worker or "-",
                row.address or "-",
                str(census.sessions([row], now)),
                str(int(row.capacity)),
                age(row, now),
            )
            for row in sorted(rows, key=lambda row: (row.app, row.slot))
        ],
    )


def age(row: Instance, now: float) -> str:
    """Return the time since the instance was claimed, as ``1:02:03``."""
    seconds = max(0, int(now - row.claimed_at))
    return f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"
