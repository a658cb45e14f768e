"""What another configuration changes: locations, their targets and settings. Pure."""

from collections.abc import Iterator
from typing import NamedTuple

from chalicelib.configuration.shiny_server_conf.model import Configuration, Location
from chalicelib.configuration.shiny_server_conf.report import (
    target_of,
    title_of,
    wrapped,
    written,
)


class _Place(NamedTuple):
    site: str
    path: str
    turn: int
    """Of several locations with one path in a site, which one; from 0."""


def differences(before: Configuration | None, after: Configuration) -> list[str]:
    """Return a line for each location that comes (+), goes (-) or changes (~), by site."""
    old = _locations(before) if before is not None else {}
    new = _locations(after)
    lines: list[str] = []
    site = ""
    for place in dict.fromkeys((*new, *old)):
        found = list(_location(place, old.get(place), new.get(place)))
        if found and place.site != site:
            site = place.site
            lines += wrapped(site)
        for line in found:
            lines += wrapped(f"  {line}", 8)
    return lines


def _locations(configuration: Configuration) -> dict[_Place, Location]:
    found: dict[_Place, Location] = {}
    turns: dict[tuple[str, str], int] = {}
    for site in configuration.sites:
        title = title_of(site)
        for location in site.locations:
            turn = turns.get((title, location.path), 0)
            turns[title, location.path] = turn + 1
            found[_Place(title, location.path, turn)] = location
    return dict(sorted(found.items(), key=lambda item: item[0].site))


def _location(place: _Place, old: Location | None, new: Location | None) -> Iterator[str]:
    path = place.path or "/"
    if old is None:
        if new is not None:
            yield f"+ {path}  {_words(new)}"
        return
    if new is None:
        yield f"- {path}  {_words(old)}"
        return
    if _words(old) != _words(new):
        yield f"~ {path}  {_words(old)} → {_words(new)}"
    was = {name: written(value.value) for name, value in old.settings().items()}
    then = {name: written(value.value) for name, value in new.settings().items()}
    for name in dict.fromkeys((*was, *then)):
        if was.get(name) != then.get(name):
            yield f"~ {path}  {name}: {was.get(name, 'default')} → {then.get(name, 'default')}"


def _words(location: Location) -> str:
    return target_of(location) + (f", closed: {location.closed}" if location.closed else "")
