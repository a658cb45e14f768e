"""Decides which location of a configuration answers a request, and how. Pure.

Sites and locations are tried in Shiny Server's order until one of them handles the request.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import unquote

from chalicelib.configuration.shiny_server_conf.model import (
    AppDir,
    Block,
    Configuration,
    Location,
    Redirect,
    Site,
    SiteDir,
    UserDirs,
)
from chalicelib.configuration.shiny_server_conf.outcomes import (
    AddSlash,
    AppAt,
    Closed,
    NotFound,
    Outcome,
    RedirectTo,
)
from chalicelib.configuration.shiny_server_conf.paths import Prefixes
from chalicelib.configuration.shiny_server_conf.site_dir import Tree, walk

EVERY_ADDRESS = ("*", "::", "0.0.0.0")  # noqa: S104 - compared, not bound
LOG_FOLDER = "log"


@dataclass(frozen=True, slots=True)
class Arrival:
    """A request, as far as it says where it leads."""

    path: str
    """As it was sent: percent-encoded, without the query."""
    host: str = ""
    """The header, with or without a port."""
    port: int | None = None
    """The port it came to; None: any, as one entrance leads to all sites."""
    address: str | None = None
    """The local address it came to; None: any."""


class Matcher:
    """A configuration, prepared so that its size does not slow a lookup."""

    def __init__(self, configuration: Configuration) -> None:
        self._sites = configuration.sites
        self._outside = configuration.outside
        self._blocks: list[Prefixes[Block]] = []
        self._spelled: list[Prefixes[int]] = []
        self._locations: list[Prefixes[int]] = []
        self._closed: list[Prefixes[int]] = []
        self._named: dict[str, list[int]] = {}
        self._nameless: list[int] = []
        for number, site in enumerate(self._sites):
            index: Prefixes[int] = Prefixes()
            closed: Prefixes[int] = Prefixes()
            spelled: Prefixes[int] = Prefixes()
            for order, location in enumerate(site.locations):
                index.add(location.path, order)
                spelled.add(_canonical(location.path), order)
                if location.closed:
                    closed.add(_canonical(location.path), order)
            blocks: Prefixes[Block] = Prefixes()
            for block in site.blocks:
                blocks.add(_canonical(block.path), block)
            self._blocks.append(blocks)
            self._spelled.append(spelled)
            self._locations.append(index)
            self._closed.append(closed)
            for name in dict.fromkeys(site.names):
                self._named.setdefault(name, []).append(number)
            if not site.names:
                self._nameless.append(number)

    def candidates(self, arrival: Arrival) -> Iterator[tuple[Site, list[Location]]]:
        """Yield the sites that a request may lead to, and in each the locations above its path.

        Sites come in the order of how exactly address and name match, and then of the file, as in
        Shiny Server 1.5.22.
        """
        for number in self._site_numbers(arrival):
            orders = sorted(self._locations[number].of(arrival.path))
            yield self._sites[number], [self._sites[number].locations[order] for order in orders]

    def above(self, arrival: Arrival) -> Block:
        """Return the nearest block at or above a path, however the path is spelled.

        Of several with the same path, the innermost counts; of these a closed one, else the first.
        """
        number = next(iter(self._site_numbers(arrival)), None)
        if number is None:
            return self._outside
        nearest = self._blocks[number].nearest(_canonical(arrival.path))
        innermost = max(len(block.layers) for block in nearest)
        same = [block for block in nearest if len(block.layers) == innermost]
        return next((block for block in same if block.closed), same[0])

    def claims(self, arrival: Arrival, path: str) -> bool:
        """Return whether the configuration itself has a target at ``path``, or nearer.

        ``path`` is where something is published, at or above the arrival's path. A nested location
        that only has settings has the target of the one around it.
        """
        number = next(iter(self._site_numbers(arrival)), None)
        if number is None:
            return False
        depth = _canonical(path).count("/")
        return any(
            _canonical(self._sites[number].locations[order].target.base).count("/") >= depth
            for order in self._spelled[number].of(_canonical(arrival.path))
        )

    def decide(self, arrival: Arrival, tree: Tree) -> Outcome:
        """Return what answers a request."""
        tried: Site | None = None
        for number in self._site_numbers(arrival):
            tried = self._sites[number]
            outcome = self._decide(number, arrival.path, tree)
            if outcome is not None:
                return outcome
        return NotFound(tried)

    def _decide(self, number: int, path: str, tree: Tree) -> Outcome | None:
        site = self._sites[number]
        orders = sorted(self._locations[number].of(path))
        closed: dict[tuple[type, str], str] = {}
        for order in orders:
            location = site.locations[order]
            place = (type(location.target), location.target.base)
            outcome = _handle(location, path, tree)
            # What a closed nested location passes on, the same target may not show either.
            why = location.closed or closed.get(place, "")
            if outcome is not None:
                why = why or self._closed_otherwise(number, path, orders)
                return Closed(location, why) if why else outcome
            if why:
                closed[place] = why
        return None

    def _closed_otherwise(self, number: int, path: str, matched: list[int]) -> str:
        """Return why a path is closed under another spelling; empty: it is not.

        Locations are matched by the path as it was sent, but a tree of files finds ``/%61`` and
        ``//a`` where ``/a`` is.
        """
        for order in self._closed[number].of(_canonical(path)):
            if order not in matched:
                return self._sites[number].locations[order].closed
        return ""

    def _site_numbers(self, arrival: Arrival) -> list[int]:
        host = arrival.host.partition(":")[0].lower()
        scored = [
            (-score - bonus, number)
            for bonus, numbers in ((3, self._named.get(host, [])), (0, self._nameless))
            for number in numbers
            if (score := _address_score(self._sites[number], arrival))
        ]
        return [number for _, number in sorted(scored)]


def _canonical(path: str) -> str:
    """Return a path decoded and without empty segments."""
    return "".join(f"/{unquote(segment)}" for segment in path.split("/") if segment)


def _address_score(site: Site, arrival: Arrival) -> int:
    """Return how well port and address match; 0: they do not."""
    if arrival.port is not None and arrival.port != site.port:
        return 0
    if site.host in EVERY_ADDRESS or arrival.address is None:
        return 1
    return 2 if arrival.address == site.host else 0


def _handle(location: Location, path: str, tree: Tree) -> Outcome | None:
    """Return how a location answers; None: it passes the request on."""
    target = location.target
    rest = path[len(target.base) :]
    match target:
        case AppDir(folder, base):
            if not rest:
                return AddSlash(location, f"{path}/")
            return AppAt(location, folder, base, rest)
        case Redirect(url, status, exact):
            if exact and rest not in ("", "/"):
                return None
            return RedirectTo(location, url, status)
        case SiteDir(root, base):
            return walk(location, root, base, path, tree)
        case UserDirs():
            return _user(location, target, path, tree)


def _user(location: Location, target: UserDirs, path: str, tree: Tree) -> Outcome | None:
    user, slash, _ = path[len(target.base) + 1 :].partition("/")
    if not user or not slash:
        return None
    groups = tree.groups(unquote(user))
    if groups is None:
        return None
    if target.members_of and not any(group in groups for group in target.members_of):
        return None
    return walk(
        location,
        f"~{unquote(user)}/ShinyApps",
        f"{target.base}/{user}",
        path,
        tree,
        forbidden=LOG_FOLDER,
    )
