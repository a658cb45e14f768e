"""Pages give their seats up when the instance's row says that visitors queue, and the row is not
read without need.
"""

import time

import pytest

from agent.life.crowd import Crowd
from chalicelib.configuration.app_settings import AppSettings
from chalicelib.instances import store
from chalicelib.instances.model import Instance

SETTINGS = AppSettings(simple_scheduler=4, queue_page_share=0.25)
pytestmark = pytest.mark.usefixtures("tables")


@pytest.fixture
def instance() -> Instance:
    claimed = store.claim(f"crowd.{time.time_ns()}", 0, app="/x", capacity=4, now=0)
    assert claimed is not None
    return store.mark_ready(claimed.ref, "127.0.0.1:1", "token", 0)


class Pages:
    """Pages of sessions, each opened at a time."""

    def __init__(self, instance: Instance, now: float = 1000.0) -> None:
        self.opened: dict[str, float] = {}
        self.networks: dict[str, str] = {}
        self.connected = 0
        self.ended: list[str] = []
        self.now = now
        self.crowd = Crowd(
            instance.ref,
            lambda: self.opened,
            lambda: self.connected + len(self.opened),
            lambda: SETTINGS,
            lambda session: self.networks[session],
            self.ended.append,
            lambda: self.now,
            lambda: 100.0,
        )

    def open(self, session: str, age: float, address: str) -> None:
        self.opened[session] = self.now - age
        self.networks[session] = address


async def test_nobody_gives_way_while_nobody_queues_and_the_oldest_do_when_somebody_does(
    instance: Instance,
) -> None:
    pages = Pages(instance)
    for number in range(3):
        pages.open(f"s{number}", 9 - number, "a")
    await pages.crowd.look()
    assert pages.ended == []
    store.mark_queued(instance.ref, 160.0)
    await pages.crowd.look()
    assert pages.ended == ["s0", "s1"]


@pytest.mark.parametrize(("pages_open", "age", "connected"), [(0, 9, 4), (3, 1, 1), (1, 9, 0)])
async def test_the_row_is_read_only_when_pages_wait_and_the_instance_is_rather_full(
    instance: Instance, pages_open: int, age: float, connected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages = Pages(instance)
    pages.connected = connected
    for number in range(pages_open):
        pages.open(f"s{number}", age, "a")

    def get(ref: object) -> None:
        raise AssertionError("it was read")

    monkeypatch.setattr(store, "get", get)
    await pages.crowd.look()
