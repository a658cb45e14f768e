"""The ceilings of a local stack: set by the environment, and told to its functions."""

import pytest

from infra.declared import DECLARED
from infra.emulator.errors import CannotStart
from infra.local.place import local_place
from infra.local.settings import LocalSettings


def test_most_instances_reach_every_function_that_starts_or_counts_them() -> None:
    place = local_place(LocalSettings.from_environment({"SHEEN_MOST_INSTANCES": "7"}))
    for function in DECLARED.functions:
        assert DECLARED.environment_of(place, function)["SHEEN_MOST_INSTANCES"] == "7", (
            function.name
        )


@pytest.mark.parametrize("text", ["many", "-1", "5001", "1.5"])
def test_a_number_of_instances_that_cannot_be_is_told(text: str) -> None:
    with pytest.raises(CannotStart, match=r"SHEEN_MOST_INSTANCES is .* from 0 .* to 5000"):
        LocalSettings.from_environment({"SHEEN_MOST_INSTANCES": text})


def test_what_keeps_instances_alive_has_concurrency_of_its_own_and_pages_have_not() -> None:
    reserved = {function.name for function in DECLARED.functions if function.reserved}
    assert {
        "on_instance_change",
        "on_task_stopped",
        "task_run",
        "instance_watch",
        "instance_fail",
        "sweeper",
        "publish_check",
    } <= reserved
    assert not reserved & {
        "api_handler",
        "websocket_connect",
        "websocket_message",
        "websocket_disconnect",
    }
