"""Which apps may read a sync's folder, and which may write to it.

If a sync publishes apps, no app may write to its folder: files written by an app must never
become another app's code.
"""

from collections.abc import Iterable, Mapping

from chalicelib.apps import store as apps
from chalicelib.apps.model import App
from chalicelib.configuration.errors import BadAppSetting
from chalicelib.syncs.definition import SyncDefinition
from chalicelib.syncs.errors import BadSync
from chalicelib.syncs.model import Sync

WRITE = "write"
"""The value of an app's ``data`` setting that lets it add to the folder."""


def check_app(location: str, data: Mapping[str, str]) -> None:
    """Check an app's ``data`` setting against the syncs that it names.

    Raise :class:`BadAppSetting` if the app would write to a sync that publishes apps.
    """
    for name in (name for name, mode in data.items() if mode == WRITE):
        try:
            publish = str(Sync.get(name, consistent_read=True).settings.get("publish") or "")
        except Sync.DoesNotExist:
            continue  # there is no folder that the app could write to
        if publish:
            raise BadAppSetting(f"setting data: {conflict(name, publish, location)}")


def check_sync(definition: SyncDefinition) -> None:
    """Check a definition against the apps that name it.

    Raise :class:`BadSync` if the sync publishes apps and an app writes to its folder.
    """
    if not definition.publish:
        return
    for app, mode in asking(definition.name, apps.everywhere()):
        if mode == WRITE:
            why = conflict(definition.name, definition.publish, str(app.location))
            raise BadSync(f"sync {definition.name}: {why}")


def conflict(sync: str, publish: str, location: str) -> str:
    """Say why one app and one sync conflict, and how to resolve it. Pure."""
    return (
        f"the app at {location} has data {sync}=write, and sync {sync} publishes the apps "
        f"in its folder at {publish}. "
        f"What an app writes is never published. Either let the app read only "
        f"(`sheen configure {location} data.{sync}=read`) or end publishing (`sheen sync "
        f"define {sync} publish=`)"
    )


def asking(sync: str, found: Iterable[App]) -> list[tuple[App, str]]:
    """Return the apps whose ``data`` setting names a sync, each with ``read`` or ``write``.

    An app whose settings cannot be read does not run, so it is left out. Pure.
    """
    result = []
    for app in found:
        try:
            mode = app.resolved().settings.data.get(sync)
        except BadAppSetting:
            continue
        if mode is not None:
            result.append((app, mode))
    return result
