"""Consequences of a run: apps with changed data restart, failures are reported. Outside the VPC."""

import json
from collections.abc import Iterable

from chalicelib.apps import store as apps
from chalicelib.aws import clients
from chalicelib.configuration.errors import BadAppSetting
from chalicelib.syncs.model import RunStatus, SyncRun
from chalicelib.telemetry import logger

RESTARTER = "agents_restart"
"""The function that restarts an app."""


def restart_readers(sync: str, function: str) -> list[str]:
    """Restart the apps that see a sync's folder and have ``restart_on_sync`` set.

    Return their locations.
    """
    locations = []
    for app in apps.everywhere():
        try:
            settings = app.resolved().settings
        except BadAppSetting:
            continue  # an app whose settings cannot be read does not run either
        if settings.restart_on_sync and sync in settings.data:
            locations.append(str(app.location))
    restart(locations, function)
    return locations


def restart(locations: Iterable[str], function: str) -> None:
    """Request restarts of apps; existing sessions continue until they end."""
    for location in locations:
        clients.client("lambda").invoke(
            FunctionName=function,
            InvocationType="Event",
            Payload=json.dumps({"location": location, "mode": "restart"}),
        )
        logger.info("restarts", extra={"app": location})


def tell_failure(run: SyncRun, status: RunStatus, message: str, topic: str) -> None:
    """Report that a run is about to end as failed, or with some failed files."""
    lines = [
        f"Sync {run.sync}, run {run.run_id} ({run.trigger or 'unknown trigger'}): {status}.",
        message,
        *(f"{path}: {why}" for path, why in run.failures),
        f"`sheen syncs {run.sync}` shows its runs; `sheen sync {run.sync}` runs it again.",
    ]
    logger.warning("sync failed", extra={"sync": run.sync, "run": run.run_id, "why": message})
    if topic:
        clients.client("sns").publish(
            TopicArn=topic,
            Subject=f"Sheen: sync {run.sync} {status}"[:100],
            Message="\n".join(lines),
        )
