"""What another configuration changes for apps that are published. Pure."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from chalicelib.apps.model import App
from chalicelib.apps.sites import EVERY_HOST, Location
from chalicelib.configuration.applied import Applied
from chalicelib.configuration.errors import BadAppSetting
from chalicelib.configuration.layers import Layer, Resolved
from chalicelib.configuration.shiny_server_conf.match import Arrival, Matcher
from chalicelib.configuration.shiny_server_conf.model import Configuration


class Effect(NamedTuple):
    """One setting of an app that another configuration changes."""

    location: str
    setting: str
    before: str
    after: str


def effects(before: Applied | None, after: Applied | None, apps: Iterable[App]) -> list[Effect]:
    """Return the settings that change, for each location of each app with a version."""
    return [
        Effect(str(location), name, was, then)
        for app in apps
        if app.active_version is not None
        for location in app.places.here
        for name, was, then in _differences(
            _resolved(app, _above(before, location)), _resolved(app, _above(after, location))
        )
    ]


def fates(configuration: Configuration, apps: Iterable[App]) -> list[tuple[str, str]]:
    """Return what becomes of each location of a published app, in words."""
    matcher = Matcher(configuration)
    return [
        (str(location), _fate(matcher, location))
        for app in apps
        if app.active_version is not None
        for location in app.places.here
    ]


def _fate(matcher: Matcher, location: Location) -> str:
    path = location.path if location.path != "/" else ""
    host = "" if location.site == EVERY_HOST else location.site
    above = next((found for _, found in matcher.candidates(Arrival(path, host))), [])
    for place in above:
        if place.path == path:
            return f"not reachable any more: line {place.position.line} leads elsewhere"
    closed = next((place for place in above if place.closed), None)
    if closed is not None:
        return f"closed by line {closed.position.line}: {closed.closed}"
    if not above:
        return "as before"
    nearest = max(above, key=lambda place: len(place.path))
    title = nearest.layers[-1].title
    return f"as before, below the settings of {title} (line {nearest.position.line})"


def changed(found: Iterable[Effect]) -> list[str]:
    """Return the locations with an effect, each once."""
    return list(dict.fromkeys(effect.location for effect in found))


def _above(applied: Applied | None, location: Location) -> list[Layer]:
    if applied is None:
        return []
    host = "" if location.site == EVERY_HOST else location.site
    return applied.layers_above(location.path, host)


def _resolved(app: App, above: list[Layer]) -> Resolved | str:
    try:
        return app.resolved(above)
    except BadAppSetting as error:
        return str(error)


def _differences(was: Resolved | str, then: Resolved | str) -> Iterator[tuple[str, str, str]]:
    if isinstance(was, str) or isinstance(then, str):
        if was != then:
            yield "all settings", _words(was), _words(then)
        return
    for name in type(was.settings).__dataclass_fields__:
        old, new = getattr(was.settings, name), getattr(then.settings, name)
        if old != new:
            yield name, str(old), str(new)


def _words(resolved: Resolved | str) -> str:
    return resolved if isinstance(resolved, str) else "as they are set"
