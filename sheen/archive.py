"""``sheen archive``, ``restore`` and ``delete``: archive an app, bring it back, or delete it."""

import json
import time
from collections.abc import Callable

from chalicelib.apps import life, locations, store
from chalicelib.configuration.deployment import Settings
from chalicelib.errors import Forbidden
from sheen.functions import call


class NotDeleted(Forbidden):
    """The deletion was not confirmed."""


def archive(settings: Settings, location: str) -> str:
    """Archive the app at ``location``; raise as :func:`sheen.functions.call` does."""
    stopped = json.loads(call(settings, "app_archive", {"location": locations.check(location)}))[
        "stopped"
    ]
    return f"archived; {stopped} instances were stopped. `sheen restore {location}` brings it back"


def restore(location: str) -> str:
    """Take the app out of the archive; raise :class:`NoSuchApp`."""
    life.restore(store.at(locations.check(location)).name, time.time())
    return "restored; its next visitor starts it"


def delete(settings: Settings, location: str, ask: Callable[[str], str] | None) -> str:
    """Delete an archived app for good.

    ``ask`` puts a question and returns the answer; None means not to ask. Raise :class:`NoSuchApp`,
    :class:`NotArchived`, or :class:`NotDeleted` if the answer is not the location.
    """
    location = locations.check(location)
    life.archived(store.at(location).name)
    if ask is not None and _answer(ask, location) != location:
        raise NotDeleted(f"{location} was not deleted: the answer was not its location")
    gone = json.loads(call(settings, "app_delete", {"location": location}))
    return f"deleted with {gone['versions']} versions; its files are being removed"


def _answer(ask: Callable[[str], str], location: str) -> str:
    try:
        return ask(
            f"This deletes {location}, its versions, bundles and data for good. Type "
            f"{location} to go on: "
        )
    except EOFError:
        raise NotDeleted(
            f"{location} was not deleted: there is nobody to ask; `sheen delete "
            f"{location} --yes` does not ask"
        ) from None
