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
        for app in _published(apps)
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
        for app in _published(apps)
        for location in app.places.here
    ]


def _fate(matcher: Matcher, location: Location) -> str:
    arrival = Arrival(location.path, _host(location))
    if matcher.claims(arrival, location.path):
        return "not reachable any more: the file leads elsewhere here"
    block = matcher.above(arrival)
    layer = block.layers[-1]
    place = f"{layer.title} (line {layer.position.line})"
    if block.closed:
        return f"closed in {place}: {block.closed}"
    return f"as before, below the settings of {place}"


def changed(found: Iterable[Effect]) -> list[str]:
    """Return the locations with an effect, each once."""
    return list(dict.fromkeys(effect.location for effect in found))


def _above(applied: Applied | None, location: Location) -> list[Layer]:
    if applied is None:
        return []
    return applied.layers_above(location.path, _host(location))


def _host(location: Location) -> str:
    return "" if location.site == EVERY_HOST else location.site


def _published(apps: Iterable[App]) -> Iterator[App]:
    """Yield the apps that people can visit where they were published.

    The settings of an app that runs in a folder are those of the location that leads there.
    """
    for app in apps:
        if app.active_version is not None and app.name.startswith("/"):
            yield app


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
