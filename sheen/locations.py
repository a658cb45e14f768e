"""``sheen locations``, ``move``, ``alias``, ``redirect`` and ``unlink``: which URL leads where."""

import argparse
import time

from chalicelib.apps import linking, locations, sites
from chalicelib.apps.directory import REMEMBERED
from chalicelib.apps.sites import EVERY_HOST, AppTarget, Location, Target
from sheen.console import say, table
from sheen.deployment import url_of

_SOON = f"visitors notice within {REMEMBERED:.0f} seconds"


def show_locations() -> None:
    """List all locations and their targets."""
    rows = linking.listed()
    if not rows:
        say("no locations yet; `sheen publish DIR` publishes an app")
        return
    table(("URL", "TARGET"), [(_url(location), _words(target)) for location, target in rows])


def change(arguments: argparse.Namespace) -> str:
    """Carry out one of the commands that change locations, and return what it did.

    Raise an error of :mod:`chalicelib.apps.errors`; then nothing has changed.
    """
    location, now = Location.of(arguments.location, arguments.host), time.time()
    match arguments.command:
        case "move":
            new = Location.of(arguments.to, arguments.host)
            linking.move(location, new, now)
            return (
                f"the app is at {_url(new)} now; pages at {location} are redirected there, and "
                f"open sessions go on; `sheen unlink {location}` ends that"
            )
        case "alias":
            new = Location.of(arguments.to, arguments.host)
            app = linking.alias(locations.check(arguments.location), new, now)
            return f"{_url(new)} leads to the app at {app.location} too; {_SOON}"
        case "redirect":
            target = sites.redirect(arguments.url, arguments.status, exact=not arguments.below)
            linking.redirect(location, target, now)
            return f"{_url(location)} redirects to {target.url}; {_SOON}"
        case _:
            linking.unlink(location, now)
            return f"{_url(location)} leads nowhere any more; {_SOON}"


def _url(location: Location) -> str:
    return url_of(location.path, "" if location.site == EVERY_HOST else location.site)


def _words(target: Target) -> str:
    match target:
        case AppTarget(name, moved):
            return f"app {name}{' (has moved away)' if moved else ''}"
        case sites.RedirectTarget(url, status, exact):
            return f"{status} {url}{'' if exact else ' (and all below)'}"
