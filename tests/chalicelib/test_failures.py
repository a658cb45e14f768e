"""One name of a failure stands in the state machines, in the code and in the rows."""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agent import failure
from chalicelib.failures import Failure
from chalicelib.instances.errors import InstanceChanged
from chalicelib.publishing.errors import BadBundle
from chalicelib.syncs.errors import NoSuchSync

TREE = Path(__file__).resolve().parents[2]
MACHINES = sorted((TREE / "statemachines").glob("*.asl.json"))
CODE = ("chalice_app", "infra/declared", "sheen", "tasks", "workers/agent", "workers/machine")
AWS = re.compile(r"(States|Lambda|DataSync)\.\w+")
"""The names that AWS's services give to their own failures."""
WORDS = {Failure.UNKNOWN, Failure.TIMEOUT, Failure.HEARTBEAT_TIMEOUT}
"""A word of other things too, and two names that are AWS's to choose."""


def names_in(value: Any) -> Iterator[str]:
    """Yield each name of a failure that a state machine catches, retries or ends with."""
    if isinstance(value, dict):
        yield from value.get("ErrorEquals", ())
        if value.get("Type") == "Fail" and "Error" in value:
            yield value["Error"]
        for inner in value.values():
            yield from names_in(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from names_in(inner)


@pytest.mark.parametrize("machine", MACHINES, ids=lambda path: path.name)
def test_a_state_machine_knows_only_names_that_the_code_or_aws_gives(machine: Path) -> None:
    names = set(names_in(json.loads(machine.read_text())))
    assert names, "each of them handles failures"
    assert {name for name in names if not AWS.fullmatch(name)} <= set(Failure)


def test_the_code_takes_the_names_from_one_place() -> None:
    names = set(Failure) - WORDS
    found = []
    for folder in CODE:
        for path in sorted((TREE / folder).rglob("*.py")):
            if path == TREE / "chalice_app/chalicelib/failures.py" or ".build" in path.parts:
                continue
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Constant) and node.value in names:
                    found.append(f"{path.relative_to(TREE)}:{node.lineno}: {node.value}")
    assert not found, "write Failure.… (chalicelib/failures.py) instead of its text"


@pytest.mark.parametrize("error", [BadBundle, InstanceChanged, NoSuchSync])
def test_an_error_that_lambda_names_by_its_class_has_that_name(error: type[Exception]) -> None:
    assert error.__name__ in set(Failure)


@pytest.mark.parametrize(
    "error", [failure.AppStartFailed, failure.AppInitTimeout, failure.WorkerExited]
)
def test_an_agent_s_failure_is_named_like_its_class(error: type[failure.WorkerFailed]) -> None:
    assert error.error.value == error.__name__


def test_a_row_keeps_plain_text() -> None:
    kept = Failure.TASK_DIED.because("OutOfMemory")
    assert kept == {"error": "TaskDied", "cause": "OutOfMemory"}
    assert type(kept["error"]) is str
