"""An AWS account's first day: Lambda runs ten functions at once, and no more."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.stack import TREE, StackProcess, free_port

pytestmark = pytest.mark.stack


class NewAccount(StackProcess):
    """A local stack with the quotas of a new account."""

    @property
    def own_environment(self) -> dict[str, str]:
        return super().own_environment | {"SHEEN_CONCURRENCY": "10"}


@pytest.fixture
def new_account(open_folder: Path) -> Iterator[NewAccount]:
    running = NewAccount(open_folder / "new-account", free_port())
    running.start()
    yield running
    running.stop()


def test_an_app_is_published_and_visited_and_a_crowd_is_told_to_come_again(
    new_account: NewAccount,
) -> None:
    new_account.publish(TREE / "examples" / "pulse", "/pulse")
    new_account.wake("/pulse/")
    assert "Pulse" in new_account.get("/pulse/", {"accept": "text/html"}).text
    with ThreadPoolExecutor(40) as crowd:
        asked = [crowd.submit(new_account.get, "/pulse/pulse.css") for _ in range(200)]
    statuses = {one.result().status for one in asked}
    assert statuses <= {200, 404, 429, 500, 503}, "a throttled function is API Gateway's 500 or 429"
    new_account.sweep()
    assert "Pulse" in new_account.get("/pulse/", {"accept": "text/html"}).text
