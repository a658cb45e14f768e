"""Locations in the tables: found in one read, changed in one write, carried over once."""

import contextlib
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from chalicelib.apps import life, linking, sites, store
from chalicelib.apps.directory import AppAtPath, Directory, NothingAtPath, RedirectAtPath
from chalicelib.apps.errors import (
    LastLocation,
    LocationTaken,
    NoSuchApp,
    NoSuchLocation,
    TooManyLocations,
)
from chalicelib.apps.model import SITE, App, LocationRow
from chalicelib.apps.sites import EVERY_HOST, AppTarget, Location

pytestmark = pytest.mark.usefixtures("dynamodb_calls")
HOST = "apps.example.org"


def at(path: str, host: str = EVERY_HOST) -> Location:
    return Location(host, path)


def published(path: str) -> App:
    app = store.ensure(path, 1.0)
    app.update(actions=[App.active_version.set("v1")])
    return app


def of_before(path: str) -> App:
    """An app as releases without locations wrote it."""
    app = App(path, app_id="0123456789ab", unix_id=1, settings={}, created_at=0, updated_at=0)
    app.active_version = "v1"
    app.save()
    return app


def find(path: str, host: str = "") -> AppAtPath | RedirectAtPath | NothingAtPath:
    return Directory().find(path, 1.0, host=host)


def app_at(path: str, host: str = "") -> str | None:
    found = find(path, host)
    return found.app.name if isinstance(found, AppAtPath) else None


def consistent() -> bool:
    """Whether apps, locations and sites tell the same."""
    rows = {row.location: row for row in LocationRow.scan()}
    targets = {location: row.target for location, row in rows.items() if row.target is not None}
    listed: dict[Location, AppTarget] = {}
    for app in App.scan():
        listed |= {each: AppTarget(app.name) for each in app.places.here}
        listed |= {each: AppTarget(app.name, moved=True) for each in app.places.left}
    counts = Counter(location.site for location in targets if location.site != EVERY_HOST)
    return {
        location: target for location, target in targets.items() if isinstance(target, AppTarget)
    } == listed and counts == {
        location.site: int(row.held or 0) for location, row in rows.items() if location.path == SITE
    }


def test_an_app_has_two_urls() -> None:
    published("/one")
    linking.alias("/one", at("/two/deep"), 2.0)
    found = find("/two/deep/x.png")
    assert isinstance(found, AppAtPath)
    assert (found.app.name, found.rest, found.location.path) == ("/one", "/x.png", "/two/deep")
    assert app_at("/one/") == "/one"
    assert store.at("/two/deep").name == "/one"
    assert consistent()


def test_an_app_elsewhere_costs_a_second_read_once(dynamodb_calls: Counter[str]) -> None:
    published("/one")
    linking.alias("/one", at("/two"), 2.0)
    directory = Directory()
    dynamodb_calls.clear()
    assert isinstance(directory.find("/two/", 10.0), AppAtPath)
    assert dynamodb_calls == {"BatchGetItem": 2}
    for now in (20.0, 30.0):
        dynamodb_calls.clear()
        assert isinstance(directory.find("/two/", now, host=HOST), AppAtPath)
        assert dynamodb_calls == {"BatchGetItem": 1}
    linking.unlink(at("/two"), 3.0)
    assert directory.find("/two/", 40.0) == NothingAtPath(EVERY_HOST)


def test_a_move_keeps_the_app_and_leaves_the_old_url_to_open_sessions() -> None:
    app = published("/old")
    moved = linking.move(at("/old"), at("/new"), 2.0)
    assert (moved.name, moved.app_id) == ("/old", app.app_id)
    found, before = find("/new/"), find("/old/session/1")
    assert isinstance(found, AppAtPath)
    assert isinstance(before, AppAtPath)
    assert (found.app.app_id, found.moved) == (app.app_id, False)
    assert (before.app.app_id, before.moved) == (app.app_id, True)
    assert store.at("/new").location == "/new"
    linking.move(at("/old"), at("/new"), 2.0)
    linking.unlink(at("/old"), 3.0)
    assert app_at("/old/") is None
    assert consistent()


def test_an_app_moves_back() -> None:
    published("/old")
    linking.move(at("/old"), at("/new"), 2.0)
    linking.move(at("/new"), at("/old"), 3.0)
    assert store.get("/old").places == sites.Places((at("/old"),), (at("/new"),))
    assert consistent()


def test_another_app_may_take_the_place_of_one_that_moved_away() -> None:
    first = published("/app")
    linking.move(at("/app"), at("/app-2025"), 2.0)
    second = published("/app")
    assert second.name == "/app~2"
    assert second.app_id != first.app_id
    assert (app_at("/app/"), app_at("/app-2025/")) == ("/app~2", "/app")
    assert store.ensure("/app", 3.0).app_id == second.app_id
    with pytest.raises(LocationTaken):
        linking.move(at("/app-2025"), at("/app"), 4.0)
    assert consistent()


def test_two_hosts_are_independent_and_others_see_the_default_site() -> None:
    published("/one")
    published("/two")
    linking.alias("/one", at("/", HOST), 2.0)
    linking.alias("/two", at("/", "other.example"), 2.0)
    assert (app_at("/", HOST), app_at("/", "other.example"), app_at("/")) == ("/one", "/two", None)
    assert app_at("/two/", HOST) == "/one", "a host with a site of its own shows nothing else"
    assert app_at("/two/", "third.example") == "/two"
    linking.unlink(at("/", HOST), 3.0)
    assert app_at("/two/", HOST) == "/two", "the site went with its last location"
    assert consistent()


def test_a_redirect_is_found_and_stands_in_the_way() -> None:
    target = sites.redirect("https://example.org/", 301)
    linking.redirect(at("/go"), target, 1.0)
    linking.redirect(at("/go"), target, 2.0)
    assert find("/go") == RedirectAtPath(target, at("/go"))
    assert find("/go/below") == NothingAtPath(EVERY_HOST)
    with pytest.raises(LocationTaken, match="sheen unlink /go"):
        store.ensure("/go", 1.0)
    linking.unlink(at("/go"), 3.0)
    assert published("/go").name == "/go"


def test_what_cannot_be_is_refused_and_changes_nothing() -> None:
    published("/one")
    published("/two")
    with pytest.raises(LocationTaken, match="an app is at /two already"):
        linking.alias("/one", at("/two"), 2.0)
    with pytest.raises(LocationTaken):
        linking.redirect(at("/two"), sites.redirect("/one"), 2.0)
    with pytest.raises(LastLocation, match="last location"):
        linking.unlink(at("/one"), 2.0)
    with pytest.raises(NoSuchLocation, match="nothing is at /three"):
        linking.unlink(at("/three"), 2.0)
    with pytest.raises(NoSuchLocation, match="no app is at /three"):
        linking.move(at("/three"), at("/four"), 2.0)
    with pytest.raises(NoSuchApp):
        linking.alias("/three", at("/four"), 2.0)
    linking.alias("/one", at("/", HOST), 2.0)
    with pytest.raises(LastLocation):
        linking.unlink(at("/one"), 2.0)
    assert (app_at("/one/"), app_at("/two/")) == ("/one", "/two")
    assert consistent()


def test_a_deployment_has_so_many_locations(monkeypatch: pytest.MonkeyPatch) -> None:
    published("/one")
    monkeypatch.setattr(linking, "MOST_IN_ALL", 1)
    with pytest.raises(TooManyLocations, match="no more are allowed"):
        linking.alias("/one", at("/two"), 2.0)


def test_an_unlinked_main_location_gives_way_to_the_next() -> None:
    published("/one")
    linking.alias("/one", at("/", HOST), 2.0)
    linking.alias("/one", at("/two"), 2.0)
    linking.unlink(at("/one"), 3.0)
    assert store.get("/one").location == "/two"
    assert consistent()


def test_an_app_is_deleted_with_all_its_locations() -> None:
    published("/one")
    linking.alias("/one", at("/", HOST), 2.0)
    linking.move(at("/one"), at("/two"), 2.0)
    life.delete(life.archive("/one", 3.0))
    assert list(LocationRow.scan()) == []
    assert list(App.scan()) == []


def test_an_app_of_before_is_where_it_was() -> None:
    of_before("/old")
    assert app_at("/old/") == "/old"
    assert store.at("/old").location == "/old"
    assert linking.listed() == [(at("/old"), AppTarget("/old"))]
    with pytest.raises(LocationTaken):
        linking.redirect(at("/old"), sites.redirect("/x"), 1.0)
    with pytest.raises(LastLocation):
        linking.unlink(at("/old"), 1.0)


def test_apps_of_before_are_carried_over_once_while_visitors_come_and_authors_publish() -> None:
    names = [f"/old{number}" for number in range(8)]
    for name in names:
        of_before(name)

    def act(number: int) -> str | None:
        name = names[number % 8]
        match number // 8 % 4:
            case 0 | 1:
                store.carry_over(store.get(name), 2.0)
                return name
            case 2:
                return store.ensure(name, 2.0).name
            case _:
                return app_at(f"{name}/")

    with ThreadPoolExecutor(8) as pool:
        seen = list(pool.map(act, range(64)))
    assert seen == [names[number % 8] for number in range(64)]
    assert {app.name for app in App.scan()} == set(names)
    assert all(app.locations == [app.name] for app in App.scan())
    before = [row.attribute_values for row in LocationRow.scan()]
    assert all(store.carry_over(app, 3.0) for app in App.scan())
    assert [row.attribute_values for row in LocationRow.scan()] == before
    assert consistent()


def test_an_app_of_before_may_move_at_once() -> None:
    of_before("/old")
    linking.move(at("/old"), at("/new"), 2.0)
    assert app_at("/new/") == "/old"
    assert not store.carry_over(App("/old", app_id="0123456789ab", updated_at=0), 3.0)
    assert consistent()


def test_callers_at_the_same_time_leave_the_tables_consistent() -> None:
    for path in ("/a", "/b"):
        published(path)
    linking.alias("/a", at("/", HOST), 1.0)

    def act(number: int) -> None:
        acts = (
            lambda: linking.alias("/a", at("/x", HOST), 2.0),
            lambda: linking.alias("/b", at("/x", HOST), 2.0),
            lambda: linking.unlink(at("/x", HOST), 2.0),
            lambda: linking.move(at("/b"), at("/c"), 2.0),
            lambda: linking.move(at("/c"), at("/b"), 2.0),
            lambda: store.ensure("/b", 2.0),
        )
        with contextlib.suppress(LocationTaken, NoSuchLocation, NoSuchApp, TooManyLocations):
            acts[number % len(acts)]()

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(act, range(36)))
    assert consistent()
