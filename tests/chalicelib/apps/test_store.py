"""Apps' rows: made once, and never switched back to an older upload."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from chalicelib.apps import life, store, versions
from chalicelib.apps.directory import AppAtPath, Directory, NothingAtPath
from chalicelib.apps.errors import NotArchived
from chalicelib.apps.model import App
from chalicelib.unix_ids.store import UNIX_IDS

pytestmark = pytest.mark.usefixtures("dynamodb_calls")


def test_two_first_uploads_make_one_app() -> None:
    with ThreadPoolExecutor(12) as pool:
        made = list(pool.map(lambda _: store.ensure("/hello", 1.0), range(12)))
    assert len({(app.app_id, app.unix_id) for app in made}) == 1
    assert int(made[0].unix_id) in UNIX_IDS


def with_a_version(location: str) -> None:
    store.ensure(location, 1.0).update(actions=[App.active_version.set("v1")])


def test_a_page_costs_one_call_and_the_next_one_none(dynamodb_calls: Counter[str]) -> None:
    with_a_version("/a/b")
    directory = Directory()
    dynamodb_calls.clear()
    found = directory.find("/a/b/c/d.png", 10.0)
    assert isinstance(found, AppAtPath)
    assert (found.app.location, found.rest) == ("/a/b", "/c/d.png")
    assert isinstance(directory.find("/a/b/c/d.png", 11.9), AppAtPath)
    assert dynamodb_calls == {"BatchGetItem": 1}
    assert isinstance(directory.find("/a/b/c/d.png", 12.1), AppAtPath)
    assert dynamodb_calls == {"BatchGetItem": 2}


def test_an_app_is_found_the_moment_it_is_published() -> None:
    directory = Directory()
    assert directory.find("/new/", 10.0) == NothingAtPath("*")
    with_a_version("/new")
    assert isinstance(directory.find("/new/", 10.2), AppAtPath)


def test_an_app_without_a_version_takes_no_path_from_the_app_above_it() -> None:
    with_a_version("/team")
    store.ensure("/team/sales", 1.0)
    directory = Directory()
    for now in (10.0, 10.1):
        found = directory.find("/team/sales/plot.png", now)
        assert isinstance(found, AppAtPath)
        assert (found.app.location, found.rest) == ("/team", "/sales/plot.png")
    with_a_version("/team/sales")
    found = directory.find("/team/sales/plot.png", 13.0)
    assert isinstance(found, AppAtPath)
    assert found.app.location == "/team/sales"


def test_an_app_that_is_published_while_it_is_deleted_stays() -> None:
    store.ensure("/late", 1.0)
    read = life.archive("/late", 2.0)
    versions.add(read.app_id, "v1", bundle="b", kind="app.R", source="s", settings={}, now=3.0)
    versions.activate("/late", "v1", "1", 3.0)
    with pytest.raises(NotArchived, match="published or moved while it was"):
        life.delete(read)
    life.delete(life.archived("/late"))
    assert store.everywhere() == []
