"""Apps' rows: made once, and never switched back to an older upload."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from chalicelib.apps import store
from chalicelib.apps.directory import Directory

pytestmark = pytest.mark.usefixtures("dynamodb_calls")


def test_two_first_uploads_make_one_app() -> None:
    with ThreadPoolExecutor(12) as pool:
        made = list(pool.map(lambda _: store.ensure("/hello", 1.0), range(12)))
    assert len({(app.app_id, app.unix_id) for app in made}) == 1
    assert int(made[0].unix_id) in store.UNIX_IDS


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
