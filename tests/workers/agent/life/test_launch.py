"""What the task is told, and by whom."""

from typing import Any

import pytest

from agent.life.launch import Launch
from agent.life.metadata import MetadataMissing, TaskIdentity, identity_from
from chalicelib.errors import SettingMissing

TOLD = {
    "SHEEN_INSTANCE": "a.v/0/i",
    "SHEEN_TASK_TOKEN": "secret",
    "ECS_CONTAINER_METADATA_URI_V4": "http://x",
    "OTHER": "1",
}


def test_the_token_is_taken_out_of_the_environment_and_out_of_sight() -> None:
    environment = dict(TOLD)
    launch = Launch.take(environment)
    assert (launch.token, str(launch.ref)) == ("secret", "a.v/0/i")
    assert "SHEEN_TASK_TOKEN" not in environment
    assert "secret" not in repr(launch)


@pytest.mark.parametrize(
    "name", ["SHEEN_INSTANCE", "SHEEN_TASK_TOKEN", "ECS_CONTAINER_METADATA_URI_V4"]
)
def test_what_is_missing_is_named(name: str) -> None:
    with pytest.raises(SettingMissing, match=name):
        Launch.take({key: value for key, value in TOLD.items() if key != name})


def test_a_malformed_instance_is_named() -> None:
    with pytest.raises(SettingMissing, match="SHEEN_INSTANCE is 'nonsense'"):
        Launch.take(TOLD | {"SHEEN_INSTANCE": "nonsense"})


def test_the_task_is_known_by_its_metadata() -> None:
    task = {"TaskARN": "arn", "Containers": [{"Networks": [{"IPv4Addresses": ["10.0.0.1"]}]}]}
    assert identity_from(task) == TaskIdentity("arn", "10.0.0.1")
    several: tuple[Any, ...] = ({}, {"TaskARN": "arn", "Containers": []}, [], None)
    for broken in several:
        with pytest.raises(MetadataMissing):
            identity_from(broken)
