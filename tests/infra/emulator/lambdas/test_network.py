"""A function reaches what its network would let it reach, and nothing else (FACTS E6b)."""

import socket

import pytest

from tests.infra.tiny_process import TinyStack

LIST_TABLES = {
    "call": {"service": "dynamodb", "target": "DynamoDB_20120810.ListTables", "payload": {}}
}
LIST_MACHINES = {
    "call": {"service": "states", "target": "AWSStepFunctions.ListStateMachines", "payload": {}}
}


@pytest.fixture
def task_port() -> object:
    """Something that listens on a task's address."""
    with socket.socket() as listener:
        listener.bind(("127.77.200.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def test_a_function_in_the_vpc_reaches_tasks(tiny: TinyStack, task_port: int) -> None:
    assert tiny.invoke("inside", {"host": "127.77.200.1", "port": task_port}) == "connected"


def test_a_function_outside_the_vpc_reaches_no_task(tiny: TinyStack, task_port: int) -> None:
    answer = tiny.invoke("outside", {"host": "127.77.200.1", "port": task_port})
    assert answer.startswith("OSError: ") and "unreachable" in answer
    assert (
        "function outside the VPC cannot reach 127.77.200.1"
        in (tiny.data / "logs" / "tiny-local-outside.log").read_text()
    )


def test_a_function_in_the_vpc_reaches_no_other_address(tiny: TinyStack) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        answer = tiny.invoke("inside", {"host": "127.0.0.1", "port": listener.getsockname()[1]})
    assert answer.startswith("OSError: ") and "unreachable" in answer


def test_a_function_in_the_vpc_reaches_dynamodb(tiny: TinyStack) -> None:
    assert tiny.invoke("inside", LIST_TABLES)[0] == 200


def test_a_function_in_the_vpc_reaches_no_other_api(tiny: TinyStack) -> None:
    assert "RemoteDisconnected" in tiny.invoke("inside", LIST_MACHINES)
    assert (
        "tiny-local-inside is in the VPC and cannot reach states.ListStateMachines" in tiny.said()
    )


def test_a_function_outside_the_vpc_reaches_every_api(tiny: TinyStack) -> None:
    assert tiny.invoke("outside", LIST_MACHINES)[0] == 200
