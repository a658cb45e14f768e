"""What a ``shiny-server.conf`` says, as values: sites, locations, targets and layers. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from chalicelib.configuration.shiny_server_conf.directives.schema import Scope
from chalicelib.configuration.shiny_server_conf.findings import Position
from chalicelib.configuration.shiny_server_conf.use import Use

SCHEDULERS = ("utilization_scheduler", "simple_scheduler")
"""Directives that say how sessions are spread; in one scope, the first of them counts."""


@dataclass(frozen=True, slots=True)
class SettingValue:
    """The value that a layer gives to a setting of apps, and where the file says so."""

    setting: str
    value: Any
    directive: str
    position: Position

    def over(self, farther: "SettingValue | None") -> "SettingValue":
        """Return what holds if this stands nearer: a map is merged, other values are replaced."""
        if farther is None or not isinstance(self.value, Mapping):
            return self
        return replace(self, value={**farther.value, **self.value})


@dataclass(frozen=True, slots=True)
class Layer:
    """What one scope of the file says: the top level, a server or a location."""

    place: Scope
    title: str
    """The scope's directive as the file has it; ``top level`` for the file itself."""
    position: Position
    uses: Mapping[str, tuple[Use, ...]]
    """The directives by name, each in the file's order."""
    settings: Mapping[str, SettingValue]
    """Values of apps' settings, by the setting's name."""


def nearest(layers: Sequence[Layer], directive: str) -> Use | None:
    """Return the nearest use of a directive; the first, if a scope has several."""
    found = (layer.uses[directive][0] for layer in reversed(layers) if directive in layer.uses)
    return next(found, None)


@dataclass(frozen=True, slots=True)
class SiteDir:
    """A tree of apps and files."""

    root: str
    base: str
    """The path that leads to the root, without a slash at its end.

    A nested location without a target of its own has the root and the base of the location around
    it.
    """


@dataclass(frozen=True, slots=True)
class AppDir:
    """One app."""

    path: str
    base: str


@dataclass(frozen=True, slots=True)
class UserDirs:
    """A tree of apps and files for each user."""

    base: str
    members_of: tuple[str, ...]
    """Groups of which a user must have one; empty: any user."""


@dataclass(frozen=True, slots=True)
class Redirect:
    """Another URL."""

    url: str
    """It is sent as it is."""
    status: int
    exact: bool
    """Whether only the path itself leads there, and not what is below."""
    base: str


Target = SiteDir | AppDir | UserDirs | Redirect


@dataclass(frozen=True, slots=True)
class Location:
    """A path of a site, with its target and its layers."""

    path: str
    """The whole path without a slash at its end: ``""`` for ``/``."""
    target: Target
    position: Position
    layers: tuple[Layer, ...]
    """From the top level down to the location itself; the nearest value wins."""
    directory_index: bool
    closed: str
    """Why nobody may enter; empty: the location is open."""

    def find(self, directive: str) -> Use | None:
        """Return the nearest use of a directive; the first, if a scope has several."""
        return nearest(self.layers, directive)

    def settings(self) -> dict[str, SettingValue]:
        """Return the settings that hold here, each from its nearest layer.

        A nearer scheduler replaces each farther one.
        """
        held: dict[str, SettingValue] = {}
        for layer in self.layers:
            if any(name in layer.settings for name in SCHEDULERS):
                for name in SCHEDULERS:
                    held.pop(name, None)
            for name, value in layer.settings.items():
                held[name] = value.over(held.get(name))
        return held


@dataclass(frozen=True, slots=True)
class Block:
    """A scope of the file as what holds at its path and below, whatever it leads to.

    What is published there is none of the file's targets, but its settings and its closing hold for
    it.
    """

    path: str
    """The whole path without a slash at its end: ``""`` for a server, and outside of all."""
    layers: tuple[Layer, ...]
    """From the top level down to the block itself; the nearest value wins."""
    closed: str
    """Why nobody may enter; empty: the block is open."""


@dataclass(frozen=True, slots=True)
class Site:
    """One ``server`` of the file."""

    port: int
    host: str
    """The address it listens on; ``*``: all."""
    names: tuple[str, ...]
    """Host names in lower case; empty: any."""
    position: Position
    locations: tuple[Location, ...]
    """In the order in which they are tried: nested ones before the one around them."""
    blocks: tuple[Block, ...]
    """The server itself and each ``location`` in it, with a target or without."""


@dataclass(frozen=True, slots=True)
class Configuration:
    """A whole file."""

    file: str
    sites: tuple[Site, ...]
    top: Layer
    outside: Block
    """What holds for a request that belongs to no site: the top level."""
