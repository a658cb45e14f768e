"""Answers requests as the configuration that holds says, and finds the apps that it leads to.

What is published at a path is the target there. The configuration's blocks above give it settings,
and may close it. Where the configuration itself has a target at the same path or nearer, that one
counts.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Self, assert_never
from urllib.parse import quote, unquote

from chalicelib import pages, telemetry
from chalicelib.apps import folders
from chalicelib.apps.directory import REMEMBERED, AppAtPath, NothingAtPath, RedirectAtPath
from chalicelib.apps.errors import FileChanged, NoUser
from chalicelib.apps.locations import ROOT
from chalicelib.apps.model import App
from chalicelib.apps.sites import EVERY_HOST
from chalicelib.apps.sites import Location as AppLocation
from chalicelib.apps.trees import Trees
from chalicelib.aws import clients
from chalicelib.bodies.links import Links
from chalicelib.configuration.above import Above
from chalicelib.configuration.app_settings import AppSettings
from chalicelib.configuration.applied import Applied
from chalicelib.configuration.deployment import Settings
from chalicelib.configuration.layers import resolve
from chalicelib.configuration.shiny_server_conf.findings import Position
from chalicelib.configuration.shiny_server_conf.match import Arrival
from chalicelib.configuration.shiny_server_conf.model import Block, Location, nearest
from chalicelib.configuration.shiny_server_conf.outcomes import (
    AddSlash,
    AppAt,
    Closed,
    FileAt,
    Forbidden,
    Listing,
    NotFound,
    RedirectTo,
)
from chalicelib.configuration.shiny_server_conf.run_as import user_of
from chalicelib.configuration.shiny_server_conf.setting_layers import setting_layers
from chalicelib.pages import Templates
from chalicelib.visits.answer import Answer
from chalicelib.visits.callers import ROBOTS
from chalicelib.visits.health import PING
from chalicelib.visits.members import Members
from chalicelib.visits.placed import Answered, Placed
from chalicelib.visits.request import VisitorRequest
from chalicelib.visits.sending import Sender

_OURS = re.compile(r"/__(sheen|sockjs|health-check)__(/|\Z)")
"""Paths that are Sheen's, wherever they are: no redirect and no file takes their place."""
_STATUSES = range(200, 600)
"""What a gateway passes on."""
_MOST_REMEMBERED = 2000

AppIn = Callable[[str, str, float], App]
"""Returns the app that runs in a folder as a user, with the time."""


class ByConfiguration:
    """Carries out what configurations say; one object lives as long as its Lambda environment."""

    def __init__(
        self,
        trees: Trees,
        sender: Sender,
        clock: Callable[[], float],
        app_in: AppIn | None = folders.app_of,
    ) -> None:
        """Set up the parts; without ``app_in``, folders lead to apps that are published there."""
        self._trees = trees
        self._sender = sender
        self._clock = clock
        self._app_in = app_in
        self._in_folders: dict[tuple[str, str], tuple[float, App]] = {}
        self._held = ""
        self._number = 0
        self._sources: Mapping[str, Mapping[str, str]] = {}
        self._settings: dict[Position, AppSettings] = {}
        self._apps: dict[tuple[Position, str], AppAtPath] = {}
        self._templates: dict[str, Templates] = {}

    @classmethod
    def of(cls, settings: Settings, clock: Callable[[], float]) -> Self:
        """Return what a deployment with these settings needs."""
        trees = Trees(settings.bucket, clock, settings.trees, Members(clock).groups)
        links = Links(settings.bucket, clients.region(), settings.bodies_url)
        sender = Sender(trees, links, clients.credentials, clock)
        return cls(trees, sender, clock, folders.app_of if settings.one_machine else None)

    def find(
        self,
        applied: Applied,
        request: VisitorRequest,
        host: str,
        published: AppAtPath | RedirectAtPath | NothingAtPath,
        number: int,
    ) -> Answered | Placed:
        """Return what answers a request.

        ``published`` is what is published at its path, and ``number`` that of the change that
        brought the configuration.
        """
        self._hold(applied, number)
        arrival = Arrival(request.path, host, request.port, request.listener)
        if not isinstance(published, NothingAtPath):
            path = published.location.path
            if not applied.matcher.claims(arrival, path):
                return self._published(applied, request, arrival, published)
        outcome = applied.matcher.decide(arrival, self._trees)
        match outcome:
            case Closed(location, why):
                return self._closed(request, location, why)
            case AppAt():
                return self._app(request, outcome, published)
            case NotFound() if request.path in (ROBOTS, PING):
                return Placed(published)
            case NotFound(site):
                block = next(iter(site.blocks)) if site else applied.configuration.outside
                return self._at(block, Answer.page(pages.nothing_here(request.path)))
            case _ if _OURS.search(unquote(request.path)):
                return self._at(outcome.location, Answer.text(404, "no app is here\n"))
            case RedirectTo(location, url, status):
                return self._at(location, _redirect(url, status))
            case AddSlash(location, path):
                return self._at(location, _add_slash(request, path))
            case FileAt(location, path):
                return self._at(location, self._file(request, path))
            case Listing(location, folder, title):
                return self._at(location, self._listing(folder, title))
            case Forbidden(location):
                return self._at(location, Answer.page(pages.forbidden(request.path)))
            case _:
                assert_never(outcome)

    def _published(
        self,
        applied: Applied,
        request: VisitorRequest,
        arrival: Arrival,
        published: AppAtPath | RedirectAtPath,
    ) -> Answered | Placed:
        """Return what is published with the settings of the blocks above, if they are open."""
        here = applied.matcher.above(arrival)
        if here.closed:
            return self._closed(request, here, here.closed)
        if isinstance(published, RedirectAtPath):
            return Placed(published)
        above = applied.matcher.above(replace(arrival, path=published.location.path))
        return self._within(above, published)

    def _app(
        self,
        request: VisitorRequest,
        outcome: AppAt,
        published: AppAtPath | RedirectAtPath | NothingAtPath,
    ) -> Answered | Placed:
        """Return the app in a folder, or, where no folders run, what is published at its path."""
        path = outcome.prefix or ROOT
        if self._app_in is not None:
            found = AppAtPath.of(self._app_of(outcome, self._app_in))._replace(
                rest=outcome.rest, location=AppLocation(EVERY_HOST, path)
            )
            return self._within(outcome.location, found)
        if isinstance(published, AppAtPath) and published.location.path == path:
            return self._within(outcome.location, published)
        telemetry.logger.info("not published", extra={"folder": outcome.folder, "at": path})
        return self._at(outcome.location, Answer.page(pages.not_published(request.path)))

    def _app_of(self, outcome: AppAt, app_in: AppIn) -> App:
        """Return the app in a folder, with a short memory; raise :class:`NoUser`."""
        user = user_of(outcome.location, outcome.folder)
        if not user:
            raise NoUser(
                f"the app in {outcome.folder} has no user to run as: run_as names none; write its "
                "name after run_as in the location"
            )
        key, now = (outcome.folder, user), self._clock()
        known = self._in_folders.get(key)
        if known is None or now - known[0] >= REMEMBERED:
            if len(self._in_folders) >= _MOST_REMEMBERED:
                self._in_folders.clear()
            known = self._in_folders[key] = (now, app_in(*key, now))
        return known[1]

    def _within(self, place: Block | Location, found: AppAtPath) -> Placed:
        """Return an app with the settings of a place, resolved once for all who use its row."""
        key = (place.layers[-1].position, found.app.name)
        known = self._apps.get(key)
        if known is None or known.app is not found.app:
            if len(self._apps) >= _MOST_REMEMBERED:
                self._apps.clear()
            above = Above(tuple(setting_layers(place)), self._number)
            known = self._apps[key] = found.under(above)
        found = found._replace(resolution=known.resolution, above=known.above)
        return Placed(found, self._templates_of(place))

    def _at(self, place: Block | Location, answer: Answer) -> Answered:
        key = place.layers[-1].position
        if key not in self._settings:
            self._settings[key] = resolve([App.defaults, *setting_layers(place)]).settings
        return Answered(answer.by(self._templates_of(place)), self._settings[key])

    def _templates_of(self, place: Block | Location) -> Templates | None:
        """Return the templates of the nearest ``template_dir``."""
        use = nearest(place.layers, "template_dir")
        if use is None:
            return None
        folder = str(use.values["dir"])
        if folder not in self._templates:
            self._templates[folder] = Templates(self._sources.get(folder, {}))
        return self._templates[folder]

    def _closed(self, request: VisitorRequest, place: Block | Location, why: str) -> Answered:
        telemetry.logger.info("closed", extra={"why": why})
        return self._at(place, Answer.page(pages.closed(request.path)))

    def _file(self, request: VisitorRequest, path: str) -> Answer:
        """Send a file; look again once if it has just changed."""
        for last in (False, True):
            file = self._trees.file(path)
            if file is None:
                break
            try:
                return self._sender.send(request, path, file)
            except FileChanged:
                if last:
                    raise
        return Answer.page(pages.nothing_here(request.path))

    def _listing(self, folder: str, title: str) -> Answer:
        found = self._trees.folder(folder)
        dirs = [pages.FolderLine(name, f"{_segment(name)}/") for name in _shown(found.folders)]
        files = [pages.FolderLine(name, _segment(name)) for name in _shown(found.files)]
        return Answer.page(pages.folder(f"Index of {title}", dirs, files))

    def _hold(self, applied: Applied, number: int) -> None:
        """Forget what belongs to another configuration."""
        if (applied.id, number) != (self._held, self._number):
            self._held, self._number, self._sources = applied.id, number, applied.templates
            self._settings.clear()
            self._apps.clear()
            self._templates.clear()


def _redirect(url: str, status: int) -> Answer:
    """Return a redirect to a URL as the file has it; only what no header can hold is encoded."""
    if status not in _STATUSES:
        why = f"redirect to {url}: no answer can have the status {status}; write one of 300 to 399"
        return Answer.page(pages.error("That did not work", why))
    return Answer.redirect("".join(_printable(character) for character in url), status)


def _printable(character: str) -> str:
    return character if " " <= character <= "~" else quote(character, errors="replace")


def _add_slash(request: VisitorRequest, path: str) -> Answer:
    """Return a redirect to a path of this site; two slashes at its start would name a host."""
    query = f"?{request.query_string}" if request.query else ""
    return Answer.redirect(f"{request.base}/{path.lstrip('/')}{query}", 301)


def _segment(name: str) -> str:
    """Return a name as a relative URL, which no name can make lead elsewhere."""
    return quote(name, safe="", errors="replace")


def _shown(names: Iterable[str]) -> list[str]:
    """Return the names that a listing shows, in its order."""
    seen = (name for name in names if not name.startswith("."))
    return sorted(seen, key=lambda name: (name.lower(), name))
