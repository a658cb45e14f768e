"""The functions in the VPC are invoked often enough to stay active, and the invocation does
nothing.
"""

import json
import re
from typing import Any

import boto3
import pytest

import app as lambdas
from chalicelib.aws import clients
from chalicelib.lambdas import keep_active
from infra.aws import costs
from infra.declared import DECLARED
from infra.emulator.settings import TREE
from infra.local.place import local_place
from infra.local.settings import LocalSettings
from tests.chalicelib.proxy_events import Context

PLACE = local_place(LocalSettings())
IN_VPC = [function.name for function in DECLARED.functions if function.in_vpc]
UNTOUCHED: Any = object()


@pytest.mark.parametrize("function", IN_VPC)
def test_each_function_in_the_vpc_does_nothing_about_it(
    function: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setattr(lambdas, "here", UNTOUCHED)
    handler = lambdas.app if function == "api_handler" else getattr(lambdas, function)
    assert handler(json.loads(json.dumps(keep_active.EVENT)), Context()) in (
        {},
        None,
        {"statusCode": 200},
    )


def test_all_of_them_are_invoked_and_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    (declared,) = [function for function in DECLARED.functions if function.name == "keep_active"]
    named = declared.environment(PLACE)["SHEEN_VPC_FUNCTIONS"].split()
    assert sorted(named) == sorted(map(PLACE.function_name, IN_VPC))
    (right,) = declared.statements(PLACE)
    assert sorted(right.resources) == sorted(map(PLACE.function_arn, IN_VPC))
    asked: list[dict[str, Any]] = []
    client = boto3.client("lambda", region_name="us-east-1")
    monkeypatch.setattr(client, "invoke", lambda **parameters: asked.append(parameters))
    monkeypatch.setattr(clients, "client", lambda service: client)
    keep_active.keep_active(named)
    assert [one["FunctionName"] for one in asked] == named
    assert all(keep_active.is_no_op(json.loads(one["Payload"])) for one in asked)


def test_it_happens_every_day() -> None:
    source = (TREE / "chalice_app" / "app.py").read_text()
    assert re.search(r'@app\.schedule\("rate\(1 day\)"\)\ndef keep_active', source)
    assert "rate(1 day)" in costs.schedules_of(source)


@pytest.mark.parametrize(
    "event",
    [
        {},
        {"httpMethod": "GET", "headers": {"sheen_keep_active": "true"}},
        {"sheen_keep_active": "true"},
        None,
    ],
)
def test_nothing_else_is_taken_for_it(event: Any) -> None:
    assert not keep_active.is_no_op(event)


def test_state_machines_wait_two_minutes_for_a_function_in_the_vpc() -> None:
    waits = {}
    for file in (TREE / "statemachines").glob("*.asl.json"):
        for name, state in json.loads(file.read_text())["States"].items():
            function = re.sub(
                r"(?<!^)([A-Z])", r"_\1", state.get("Parameters", {}).get("FunctionName", "")[2:-9]
            ).lower()
            if function in IN_VPC:
                (retry,) = [
                    one
                    for one in state["Retry"]
                    if "Lambda.ResourceConflictException" in one["ErrorEquals"]
                ]
                pauses = [
                    min(
                        retry["IntervalSeconds"] * retry["BackoffRate"] ** n,
                        retry["MaxDelaySeconds"],
                    )
                    for n in range(retry["MaxAttempts"])
                ]
                waits[f"{file.name} {name}"] = sum(pauses)
    assert waits.keys() == {"instance.asl.json Watch", "publish.asl.json Drain"}
    assert all(120 <= seconds <= 180 for seconds in waits.values()), waits
