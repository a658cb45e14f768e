"""Chalice's configuration is made of what is declared."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from infra import chalice
from infra.declared import DECLARED, Place
from infra.emulator.errors import CannotStart
from infra.local.package import check_declared, schedule_of
from infra.local.place import local_place
from infra.local.settings import LocalSettings

LOCAL = local_place(LocalSettings())
PROD = replace(
    LOCAL,
    stage="prod",
    account="111122223333",
    function_subnets=("subnet-1", "subnet-2"),
    traced=True,
)


def functions(place: Place) -> dict[str, dict[str, object]]:
    found: dict[str, dict[str, object]] = chalice.configuration(DECLARED, place)["stages"][
        place.stage
    ]["lambda_functions"]
    return found


def test_every_stage_has_the_same_functions_with_the_same_sizes() -> None:
    local, prod = functions(LOCAL), functions(PROD)
    assert local.keys() == prod.keys()
    for name, settings in local.items():
        assert settings["lambda_timeout"] == prod[name]["lambda_timeout"]
        assert settings["lambda_memory_size"] == prod[name]["lambda_memory_size"]
        assert ("subnet_ids" in settings) == ("subnet_ids" in prod[name])


def test_a_function_has_its_own_role_and_its_stages_settings() -> None:
    watch = functions(PROD)["instance_watch"]
    assert (
        watch["iam_role_arn"] == "arn:aws:iam::111122223333:role/sheen-prod-function-instance_watch"
    )
    assert watch["subnet_ids"] == ["subnet-1", "subnet-2"]
    assert functions(PROD)["instance_drain"][
        "environment_variables"
    ] == DECLARED.function_environment(PROD, False)
    assert not chalice.configuration(DECLARED, PROD)["stages"]["prod"]["manage_iam_role"]


def test_functions_are_tagged_as_everything_is_so_that_the_bill_can_be_split() -> None:
    tagged = replace(PROD, own_tags=(("team", "data"),))
    assert chalice.configuration(DECLARED, tagged)["stages"]["prod"]["tags"] == {
        "application": "sheen",
        "stage": "prod",
        "team": "data",
    }


def test_the_rest_api_compresses_what_is_larger_than_a_packet() -> None:
    assert (
        chalice.configuration(DECLARED, PROD)["stages"]["prod"]["minimum_compression_size"] == 1024
    )


def test_frames_are_not_traced_as_a_trace_costs_more_than_a_frame() -> None:
    for name, settings in functions(PROD).items():
        traced = name != "websocket_message"
        assert settings["xray"] is traced, name
        variables = settings["environment_variables"]
        assert isinstance(variables, dict) and variables["POWERTOOLS_TRACE_DISABLED"] == (
            "false" if traced else "true"
        )
    statements = {
        statement.sid for statement in DECLARED.roles(PROD)["function-websocket_message"].statements
    }
    assert "Traces" not in statements


def test_every_role_that_a_function_takes_on_is_declared() -> None:
    arns = {PROD.role_arn(role) for role in DECLARED.roles(PROD)}
    assert {settings["iam_role_arn"] for settings in functions(PROD).values()} <= arns


def test_the_command_makes_the_project_of_the_deployment_that_a_file_says(tmp_path: Path) -> None:
    place, project = tmp_path / "place.json", tmp_path / "app"
    place.write_text(json.dumps(asdict(PROD)))
    chalice.main(str(place), str(project))
    assert json.loads((project / chalice.CONFIG).read_text()) == json.loads(
        json.dumps(chalice.configuration(DECLARED, PROD))
    )
    assert (project / "app.py").exists() and (project / "vendor" / "pynamodb").exists()
    assert (project / "requirements.txt").read_text() == ""  # or Chalice would package it all again
    merged = json.loads((project / chalice.EVENTS).read_text())["Resources"]
    source = merged["OnInstanceChange"]["Properties"]["Events"][
        "OnInstanceChangeDynamodbEventSource"
    ]["Properties"]
    assert source["BisectBatchOnFunctionError"]
    pattern = json.loads(source["FilterCriteria"]["Filters"][0]["Pattern"])
    assert pattern["dynamodb"]["NewImage"] == {
        "state": {"S": ["STARTING"]},
        "phase": {"S": ["machine"]},
    }


def test_a_function_that_is_not_declared_is_named() -> None:
    names = [LOCAL.function_name(function.name) for function in DECLARED.functions]
    check_declared(names, DECLARED, LOCAL)
    with pytest.raises(
        CannotStart, match=r"only app\.py has sheen-local-new; only declared are none"
    ):
        check_declared([*names, "sheen-local-new"], DECLARED, LOCAL)
    with pytest.raises(CannotStart, match=f"only declared are {names[-1]}"):
        check_declared(names[:-1], DECLARED, LOCAL)


def test_a_schedule_that_never_fires_on_aws_stops_the_start() -> None:
    with pytest.raises(CannotStart, match="f: "):
        schedule_of("cron(0 8 * * *)", "f")
