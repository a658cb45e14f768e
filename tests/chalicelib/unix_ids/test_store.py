"""No two apps or syncs have one number, also of those that were there before numbers had rows."""

import secrets
import threading
from collections.abc import Iterator

import pytest

from chalicelib.apps import store as apps
from chalicelib.apps.model import App
from chalicelib.syncs import store as syncs
from chalicelib.syncs.model import Sync
from chalicelib.unix_ids import store
from chalicelib.unix_ids.model import UnixId

pytestmark = pytest.mark.usefixtures("dynamodb_calls")
FIRST = store.UNIX_IDS.start


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The offsets that come next of the random source."""
    coming: list[int] = []
    monkeypatch.setattr(secrets, "randbelow", lambda _most: coming.pop(0))
    return coming


def test_a_number_that_is_taken_is_not_drawn_again(drawn: list[int]) -> None:
    drawn += [5, 5, 5, 6, 6, 7, 8]
    assert int(apps.ensure("/one", 1.0).unix_id) == FIRST + 5
    assert int(apps.ensure("/two", 1.0).unix_id) == FIRST + 6
    syncs.define("sales", {}, "sheen-test", 1.0)
    row = syncs.find("sales")
    assert (int(row.read_gid), int(row.write_gid)) == (FIRST + 7, FIRST + 8)


def test_numbers_of_an_older_deployment_are_known(drawn: list[int]) -> None:
    App(
        "/old", app_id="0123456789ab", unix_id=FIRST + 1, settings={}, created_at=0, updated_at=0
    ).save()
    Sync(
        "old", settings={}, read_gid=FIRST + 2, write_gid=FIRST + 3, created_at=0, updated_at=0
    ).save()
    drawn += [1, 2, 3, 4]
    assert int(apps.ensure("/new", 1.0).unix_id) == FIRST + 4
    assert {int(row.unix_id): row.owner for row in UnixId.scan() if row.unix_id} == {
        FIRST + 1: "app /old",
        FIRST + 2: "sync old",
        FIRST + 3: "sync old",
        FIRST + 4: "app /new",
    }


def test_of_many_who_draw_at_once_each_gets_another(monkeypatch: pytest.MonkeyPatch) -> None:
    offsets: Iterator[int] = iter([0, 1, 2, 3] * 20)
    lock = threading.Lock()

    def next_offset(_most: int) -> int:
        with lock:
            return next(offsets)

    monkeypatch.setattr(secrets, "randbelow", next_offset)
    found: list[int] = []
    threads = [
        threading.Thread(target=lambda name: found.append(store.draw(name, 1.0)), args=(name,))
        for name in "abcd"
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == [FIRST, FIRST + 1, FIRST + 2, FIRST + 3]


def test_when_another_made_the_app_first_its_number_is_given_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    draw = store.draw

    def other_is_faster(owner: str, now: float) -> int:
        number = draw(owner, now)
        if owner == "app /hello" and not App.count("/hello"):
            App(
                "/hello",
                app_id="0123456789ab",
                unix_id=FIRST,
                settings={},
                created_at=0,
                updated_at=0,
            ).save()
        return number

    monkeypatch.setattr(store, "draw", other_is_faster)
    assert int(apps.ensure("/hello", 1.0).unix_id) == FIRST
    assert [int(row.unix_id) for row in UnixId.scan()] == [0]


def test_a_file_system_without_room_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secrets, "randbelow", lambda _most: 0)
    store.draw("one", 1.0)
    with pytest.raises(store.NoUnixId, match="all are taken"):
        store.draw("two", 1.0)
