"""What runs now and what is published, for the health check and the list of apps."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from chalicelib.apps import store as apps
from chalicelib.apps.directory import AppAtPath
from chalicelib.apps.locations import ROOT
from chalicelib.apps.model import App
from chalicelib.apps.sites import EVERY_HOST
from chalicelib.identity.admission import Rules, Visibility, is_listed
from chalicelib.instances import census
from chalicelib.instances import store as instances
from chalicelib.instances.model import Instance
from chalicelib.instances.snapshots import Snapshots
from chalicelib.pages import AppEntry, SignInLinks, apps_index
from chalicelib.visits import admission, door, health
from chalicelib.visits.answer import Answer
from chalicelib.visits.health import Load
from chalicelib.visits.request import VisitorRequest


class Overview:
    """Public pages about what runs and what is published.

    They come from a snapshot, because anybody can request them without signing in. They do not
    show how many visitors an app has.
    """

    def __init__(self, clock: Callable[[], float], load: Callable[[], Load] = Load) -> None:
        """``load`` returns how busy the machine is on which everything runs."""
        self._clock = clock
        self._load = load
        self._snapshots = Snapshots(clock)

    def health_check(self, named: str, templates: Mapping[str, str]) -> Answer:
        """Answer ``/__health-check__``, or what is below it, by the template of this name."""
        told = health.Health(census.Census(*self._look()["census"]), self._load())
        text = health.text(named, templates, told)
        if text is None:
            return Answer.text(404, f"there is no template health-check-{named}\n")
        return Answer.text(200, text)

    def index(self, request: VisitorRequest, site: str = EVERY_HOST) -> Answer:
        """Answer ``/`` if nothing is there: list a site's apps that the visitor may see.

        Only apps with a version are listed, and only those that the query finds.
        """
        base, user = request.base, request.user
        visitor = user.visitor if user is not None else None
        entries = [
            AppEntry(
                title, location, f"{base}{location}/" if location != ROOT else f"{base}/", state
            )
            for at, location, title, state, rules in self._look()["apps"]
            if at == site and is_listed(_rules(rules), visitor)
        ]
        signing = SignInLinks(
            door.sign_in_url(request), door.sign_out_url(request), visitor.name if visitor else ""
        )
        return Answer.page(apps_index(entries, request.parameter("q") or "", signing))

    def _look(self) -> dict[str, Any]:
        found: dict[str, Any] = self._snapshots.get(
            "lists", lambda: overview(instances.everywhere(), apps.everywhere(), self._clock())
        )
        return found


def overview(rows: Iterable[Instance], published: Iterable[App], now: float) -> dict[str, Any]:
    """Return the snapshot: the census, and the sites of each listed app.

    A site is listed with the app's location there, its title and state, and whom it lets in. Apps
    that nobody may find are left out, as are those whose settings cannot be read.
    """
    there = census.living(rows, now)
    own: dict[str, list[Instance]] = {}
    for row in there:
        own.setdefault(row.app, []).append(row)
    # An app in a folder is nowhere by itself, and its name says where the folder is.
    known = [
        AppAtPath.of(app)
        for app in published
        if app.active_version is not None and app.run_as is None
    ]
    listed = [
        (found, admission.rules_of(found.settings))
        for found in known
        if found.app.archived_at is None
        and found.readable_settings is not None
        and found.settings.visibility != Visibility.UNLISTED
    ]
    return {
        "census": list(census.count(there, now)),
        "apps": [
            [*location, title_of(found), census.app_state(own.get(found.app.name, ())), list(rules)]
            for found, rules in listed
            for location in found.app.places.one_per_site()
        ],
    }


def _rules(written: Sequence[Any]) -> Rules:
    """Return an app's rules, as the snapshot has them."""
    visibility, *names = written
    return Rules(Visibility(visibility), *map(tuple, names))


def title_of(found: AppAtPath) -> str:
    """Return an app's title for people: its ``title``, or the last part of its location."""
    settings = found.readable_settings
    return (settings.title if settings is not None else "") or readable(found.app.location)


def readable(location: str) -> str:
    """Return the last part of a location as a title.

    >>> readable("/team/breast-cancer"), readable("/a/001-hello"), readable("/PK_Analysis"), readable("/")
    ('Breast cancer', '001 hello', 'PK Analysis', 'The app')
    """  # noqa: E501
    words = " ".join(location.rsplit("/", 1)[-1].replace("-", " ").replace("_", " ").split())
    return words[:1].upper() + words[1:] or "The app"
