"""Warns of locations that no request reaches as their writer may expect. Pure."""

from collections.abc import Iterator

from chalicelib.configuration.shiny_server_conf.findings import Finding
from chalicelib.configuration.shiny_server_conf.model import (
    AppDir,
    Location,
    Redirect,
    Site,
    SiteDir,
)
from chalicelib.configuration.shiny_server_conf.paths import Prefixes


def warn_of_unreachable(site: Site) -> Iterator[Finding]:
    """Yield warnings about a site's locations."""
    takes_all: Prefixes[Location] = Prefixes()
    unlisted: list[Location] = []
    for location in site.locations:
        target = location.target
        first = next(takes_all.of(location.path), None)
        if first is not None:
            yield Finding(
                location.position,
                f"location {location.path or '/'} is never reached: {first.path or '/'} on line"
                f" {first.position.line} takes everything below it; move this one before it",
            )
        if isinstance(target, AppDir) or (isinstance(target, Redirect) and not target.exact):
            takes_all.add(location.path, location)
        if isinstance(target, Redirect) and target.exact and target.base != location.path:
            yield Finding(
                location.position,
                f"location {location.path} is never reached: the redirect around it takes only"
                f" {target.base or '/'} itself",
            )
        if isinstance(target, SiteDir) and not location.directory_index:
            unlisted.append(location)
    listing: dict[tuple[str, str], Location] = {
        (location.target.base, location.target.root): location
        for location in site.locations
        if isinstance(location.target, SiteDir)
        and location.directory_index
        and location.path == location.target.base
    }
    for location in unlisted:
        assert isinstance(location.target, SiteDir)
        parent = listing.get((location.target.base, location.target.root))
        if parent is not None and location.path != parent.path:
            yield Finding(
                location.position,
                f"directory_index off does not hide the folders of {location.path}: the request"
                f" passes on to {parent.path or '/'} on line {parent.position.line}, which lists"
                " them",
            )
