"""Builds a :class:`Configuration` from the scopes of a file without errors. Pure."""

from collections.abc import Mapping, Sequence

from chalicelib.configuration.shiny_server_conf.access import why_closed
from chalicelib.configuration.shiny_server_conf.findings import Position
from chalicelib.configuration.shiny_server_conf.model import (
    SCHEDULERS,
    AppDir,
    Block,
    Configuration,
    Layer,
    Location,
    Redirect,
    SettingValue,
    Site,
    SiteDir,
    Target,
    UserDirs,
)
from chalicelib.configuration.shiny_server_conf.scopes import Scope
from chalicelib.configuration.shiny_server_conf.translation import translate
from chalicelib.configuration.shiny_server_conf.use import Use


def build(top: Scope, file: str) -> Configuration:
    """Return what the file says."""
    outermost = _layer(top, Position(file, 1, 1))
    return Configuration(
        file,
        tuple(_site(server, outermost) for server in top.children),
        outermost,
        Block("", (outermost,), why_closed(top)),
    )


def _layer(scope: Scope, position: Position) -> Layer:
    uses = {name: tuple(uses) for name, uses in scope.uses.items()}
    return Layer(scope.place, scope.title, position, uses, settings_of(scope))


def settings_of(scope: Scope) -> dict[str, SettingValue]:
    """Return the values that a scope's own directives give to settings, by the settings' names."""
    settings: dict[str, SettingValue] = {}
    for use in (use for same in scope.uses.values() for use in _counting(same)):
        translation = translate(use)
        if translation is not None and translation.value is not None:
            name = translation.setting
            value = SettingValue(name, translation.value, use.name, use.position)
            settings[name] = value.over(settings.get(name))
    if all(name in settings for name in SCHEDULERS):
        del settings[SCHEDULERS[1]]
    return settings


def _counting(uses: Sequence[Use]) -> Sequence[Use]:
    """Return those of a scope's uses of one directive that have an effect."""
    return uses[:1] if uses[0].directive.first_wins else uses


def _site(server: Scope, outermost: Layer) -> Site:
    listen = server.own("listen")
    assert listen is not None, "a server without listen is an error"
    names = server.own("server_name")
    layers = (outermost, _layer(server, server.position))
    locations: list[Location] = []
    blocks = [Block("", layers, why_closed(server))]
    for child in server.children:
        _add_locations(child, layers, locations, blocks)
    return Site(
        listen.values["port"],
        listen.values["host"],
        tuple(name.lower() for name in names.values["names"]) if names is not None else (),
        server.position,
        tuple(locations),
        tuple(blocks),
    )


def _add_locations(
    scope: Scope, around: tuple[Layer, ...], locations: list[Location], blocks: list[Block]
) -> None:
    """Add the nested locations, then the location itself."""
    layers = (*around, _layer(scope, scope.position))
    blocks.append(Block(scope.path, layers, why_closed(scope)))
    for child in scope.children:
        _add_locations(child, layers, locations, blocks)
    model = scope.model()
    if model is not None:
        declared, use = model
        index = scope.find("directory_index")
        locations.append(
            Location(
                scope.path,
                _target(scope, declared.path, use),
                scope.position,
                layers,
                index is not None and index.values["enabled"],
                why_closed(scope),
            )
        )


def _target(scope: Scope, base: str, use: Use) -> Target:
    values: Mapping[str, object] = use.values
    match use.name:
        case "site_dir":
            return SiteDir(str(values["rootPath"]), base)
        case "app_dir":
            return AppDir(str(values["path"]), base)
        case "redirect":
            return Redirect(str(values["url"]), use.values["statusCode"], use.values["exact"], base)
        case _:
            groups = scope.find("members_of")
            return UserDirs(base, groups.values["groups"] if groups is not None else ())
