"""Which value of an app's setting holds, and where it comes from. Pure.

A layer holds settings from some place downwards: the deployment, a server, a location, the bundle,
the app itself. The nearest layer that has a setting wins. A list is replaced as a whole; a map is
merged key by key.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from chalicelib.configuration.app_conflicts import SPREADS
from chalicelib.configuration.app_settings import DECLARED, MAPS, AppSettings, read
from chalicelib.configuration.declaring import OPERATORS, LayerKind
from chalicelib.configuration.errors import BadAppSetting
from chalicelib.configuration.rules import no_setting, plain

_MAY_STAND = {
    LayerKind.DEPLOYMENT: "for the whole deployment",
    LayerKind.SERVER: "in a server",
    LayerKind.LOCATION: "in a location",
    LayerKind.BUNDLE: "in a bundle",
    LayerKind.APP: "for one app",
}
_EXCLUSIVE = (("environment", "secrets"), ("secrets", "environment"))
"""A variable that a layer has in the first overrides those of farther layers in the second."""


class Origin(NamedTuple):
    """Where a value comes from."""

    kind: LayerKind
    where: str = ""
    """The place, as people know it: ``sheen.toml``, ``shiny-server.conf:12``."""

    def __str__(self) -> str:
        return f"{self.kind} ({self.where})" if self.where else str(self.kind)


APP_FILE = ".shiny_app.conf"
"""The file in an app's folder that an operator may allow (``allow_app_override``).

Its text stands under this name beside the settings of a bundle.
"""
LONGEST_DEFAULTS = 1000
"""Characters of what a deployment sets for all apps; a function has 4 KB for its variables."""
DEFAULT = Origin(LayerKind.DEFAULT)


@dataclass(frozen=True, slots=True)
class Layer:
    """Settings that stand in one place."""

    origin: Origin
    values: Mapping[str, Any] = field(default_factory=dict)
    """By name, as they are written; :func:`app_settings.read` reads them."""
    at: Mapping[str, str] = field(default_factory=dict)
    """The exact place of single settings, by name, such as a file's line."""

    def origin_of(self, name: str) -> Origin:
        """Return where one of the settings stands."""
        return Origin(self.origin.kind, self.at.get(name, self.origin.where))


def deployment(values: Mapping[str, Any], where: str = "its operator") -> Layer:
    """Return the layer of what the operator sets for all apps."""
    return Layer(Origin(LayerKind.DEPLOYMENT, where), values)


def bundle(values: Mapping[str, Any]) -> Layer:
    """Return the layer of a bundle's ``sheen.toml``."""
    return Layer(Origin(LayerKind.BUNDLE, "sheen.toml"), values)


def app(values: Mapping[str, Any]) -> Layer:
    """Return the layer of the app's own settings."""
    return Layer(Origin(LayerKind.APP, "sheen configure"), values)


@dataclass(frozen=True, slots=True)
class Resolved:
    """The settings that hold for an app, and where each comes from."""

    settings: AppSettings
    origins: Mapping[str, Origin] = field(default_factory=dict)
    """By name, and for an entry of a map by ``NAME.KEY``; a setting without one is a default."""
    ceilings: Mapping[str, str] = field(default_factory=dict)
    """The settings that a ceiling of the deployment has cut: name → name of the ceiling."""

    def origin_of(self, name: str) -> Origin:
        """Return the origin of a setting, or of an entry of a map (``environment.TZ``)."""
        return self.origins.get(name, DEFAULT)


def split(values: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
    """Return what came with a bundle: its settings, and the text of its :data:`APP_FILE`.

    >>> split({"size": "small", ".shiny_app.conf": "reconnect off;"})
    ({'size': 'small'}, 'reconnect off;')
    """
    settings = dict(values)
    return settings, str(settings.pop(APP_FILE, ""))


def check(layer: Layer) -> None:
    """Raise :class:`BadAppSetting` if a setting does not exist or may not stand in the layer."""
    for name in layer.values:
        declared = DECLARED.get(name)
        if declared is None:
            raise BadAppSetting(no_setting(name, sorted(DECLARED)))
        if layer.origin.kind not in declared.within:
            allowed = ", ".join(
                words for kind, words in _MAY_STAND.items() if kind in declared.within
            )
            raise BadAppSetting(
                f"setting {name} cannot be set {_MAY_STAND[layer.origin.kind]}; it may be set "
                f"{allowed}"
                + ("" if declared.for_authors else ": ask the operator of this deployment")
            )


def check_defaults(values: Mapping[str, Any]) -> None:
    """Raise :class:`BadAppSetting` if a deployment cannot set these values for all apps."""
    check(deployment(values))
    AppSettings.parse(values)
    if len(plain(values)) > LONGEST_DEFAULTS:
        raise BadAppSetting(
            f"the settings for all apps have {len(plain(values)):,} characters together; "
            f"{LONGEST_DEFAULTS:,} are allowed"
        )


def resolve(layers: Iterable[Layer]) -> Resolved:
    """Merge layers, the farthest first; raise :class:`BadAppSetting`.

    If a layer says how sessions are spread (:data:`app_conflicts.SPREADS`), all that farther layers
    say about it in another way is dropped.
    """
    merged: dict[str, Any] = {}
    origins: dict[str, Origin] = {}
    for layer in layers:
        try:
            check(layer)
            if layer.origin.kind in OPERATORS:  # all of it must be right, also what nobody uses
                for name, value in layer.values.items():
                    read(name, value)
            _add(layer, merged, origins)
        except BadAppSetting as error:
            raise _located(error, layer) from None
    return Resolved(AppSettings.parse(merged), origins)


def _add(layer: Layer, merged: dict[str, Any], origins: dict[str, Origin]) -> None:
    """Put a nearer layer over what was merged so far."""
    own = next((way for way in SPREADS if any(name in layer.values for name in way)), None)
    for way in SPREADS if own is not None else ():
        for name in way if way is not own else ():
            merged.pop(name, None)
            origins.pop(name, None)
    maps = {name: read(name, layer.values[name]) for name in MAPS if name in layer.values}
    for name, other in _EXCLUSIVE:
        for key in maps.get(name, {}).keys() - maps.get(other, {}).keys():
            if key in merged.get(other, {}):
                merged[other] = {one: held for one, held in merged[other].items() if one != key}
                origins.pop(f"{other}.{key}")
    for name, value in layer.values.items():
        origins[name] = layer.origin_of(name)
        if name not in maps:
            merged[name] = value
            continue
        merged[name] = {**merged.get(name, {}), **maps[name]}
        origins.update(dict.fromkeys((f"{name}.{key}" for key in maps[name]), origins[name]))


def _located(error: BadAppSetting, layer: Layer) -> BadAppSetting:
    """Say where an operator's mistake is, which the author of an app cannot see."""
    if layer.origin.kind not in OPERATORS:
        return error
    return BadAppSetting(f"{layer.origin}: {error}")
