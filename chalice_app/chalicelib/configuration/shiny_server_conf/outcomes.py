"""How a request to a configured site is answered. Pure."""

from dataclasses import dataclass

from chalicelib.configuration.shiny_server_conf.model import Location, Site


@dataclass(frozen=True, slots=True)
class AppAt:
    """An app answers."""

    location: Location
    folder: str
    prefix: str
    """The path that leads to the app, percent-encoded, without a slash at its end."""
    rest: str
    """The path below, which is the app's own; it begins with a slash."""


@dataclass(frozen=True, slots=True)
class FileAt:
    """A file is sent."""

    location: Location
    path: str


@dataclass(frozen=True, slots=True)
class Listing:
    """The content of a folder is shown."""

    location: Location
    folder: str
    title: str


@dataclass(frozen=True, slots=True)
class AddSlash:
    """A redirect (301) to the same URL with a slash at the path's end; the query is kept."""

    location: Location
    path: str


@dataclass(frozen=True, slots=True)
class RedirectTo:
    """A redirect to a URL, which is sent as it is."""

    location: Location
    url: str
    status: int


@dataclass(frozen=True, slots=True)
class Forbidden:
    """Nobody may see this path (403)."""

    location: Location


@dataclass(frozen=True, slots=True)
class Closed:
    """The location needs a login that Sheen cannot ask for."""

    location: Location
    why: str


@dataclass(frozen=True, slots=True)
class NotFound:
    """No location handles the request (404)."""

    site: Site | None
    """The last site that was tried."""


Outcome = AppAt | FileAt | Listing | AddSlash | RedirectTo | Forbidden | Closed | NotFound
