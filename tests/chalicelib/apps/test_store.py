"""Apps' rows: made once, and never switched back to an older upload."""

import itertools
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from chalicelib.apps import store
from chalicelib.apps.directory import Directory
from chalicelib.apps.model import App

pytestmark = pytest.mark.usefixtures("dynamodb_calls")


def test_two_first_uploads_make_one_app() -> None:
    with ThreadPoolExecutor(12) as pool:
        made = list(pool.map(lambda _: store.ensure("/hello", 1.0), range(12)))
    assert len({(app.app_id, app.unix_id) for app in made}) == 1
    assert int(made[0].unix_id) in store.UNIX_IDS


@pytest.mark.parametrize("order", list(itertools.permutations(["1", "2", "3"])))
def test_the_latest_upload_ends_up_active_whatever_is_built_first(order: tuple[str, ...]) -> None:
    store.ensure("/hello", 1.0)
    for upload in order:
        store.activate("/hello", f"version{upload}", upload, 2.0)
    assert App.get("/hello").active_version == "version3"


def test_activating_again_changes_nothing() -> None:
    store.ensure("/hello", 1.0)
    assert store.activate("/hello", "v1", "1", 2.0)
    assert store.activate("/hello", "v1", "1", 3.0)


def test_an_app_that_was_not_made_is_not_activated() -> None:
    assert not store.activate("/nowhere", "v1", "1", 2.0)


def test_a_page_costs_one_call_and_the_next_one_none(dynamodb_calls: Counter[str]) -> None:
    store.ensure("/a/b", 1.0)
    directory = Directory()
    dynamodb_calls.clear()
    found = directory.find("/a/b/c/d.png", 10.0)
    assert found is not None
    assert (found.app.location, found.rest) == ("/a/b", "/c/d.png")
    assert directory.find("/a/b/c/d.png", 11.9) is not None
    assert dynamodb_calls == {"BatchGetItem": 1}
    assert directory.find("/a/b/c/d.png", 12.1) is not None
    assert dynamodb_calls == {"BatchGetItem": 2}


def test_an_app_is_found_the_moment_it_is_published() -> None:
    directory = Directory()
    assert directory.find("/new/", 10.0) is None
    store.ensure("/new", 10.1)
    assert directory.find("/new/", 10.2) is not None
