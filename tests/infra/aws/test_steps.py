"""The steps of putting a stage up and taking it down: their order, what each knows, and what a
failure leaves.
"""

from collections.abc import Mapping
from typing import Any

import pytest

from infra.aws import steps
from infra.aws.deploy import parameters_of
from infra.aws.errors import DeployError
from infra.aws.settings import load
from infra.aws.steps import (
    DeleteFunctions,
    DeleteSecret,
    DeleteStack,
    DeployFunctions,
    DeployStack,
    EndTransfers,
    EndWork,
    Known,
    LinkedRole,
    PushImage,
    Secret,
    Step,
    Tags,
    Triggers,
)
from infra.aws.synth import StackTemplate

ORDER = (
    "network",
    "data",
    "storage",
    "roles",
    "functions",
    "compute",
    "orchestration",
    "zone",
    "guard",
    "edge",
    "alarms",
)
FULL = load("full")


def template(name: str, **parameters: Any) -> StackTemplate:
    return StackTemplate(
        f"sheen-full-{name}", "eu-west-1", {"Resources": {}, "Parameters": parameters}
    )


TEMPLATES = [template(name) for name in ORDER]
EVERY = steps.deployment(FULL, TEMPLATES)


class Fake:
    """Remembers what it did; fails at the steps that it is told to."""

    def __init__(self, *failing: str) -> None:
        self.failing = set(failing)
        self.done: list[str] = []
        self.known: list[dict[str, str]] = []

    def do(self, step: Step, known: Known) -> Mapping[str, str]:
        self.known.append(dict(known))
        if step.title in self.failing:
            raise DeployError("the reason")
        self.done.append(step.title)
        return {step.title: "done"}


def titles(many: list[Step]) -> list[str]:
    return [step.title.replace("stack sheen-full-", "") for step in many]


def test_what_functions_need_comes_before_them_and_what_needs_them_after() -> None:
    every = steps.deployment(FULL, TEMPLATES)
    assert titles(every) == [
        LinkedRole().title,  # long before the cluster
        *("network", "data", "storage", "roles", "functions"),
        PushImage().title,
        Secret().title,  # functions know CloudFront by it
        DeployFunctions().title,
        "roles",  # now that the WebSocket API has an id
        DeployFunctions().title,
        Tags().title,
        Triggers().title,
        *("compute", "orchestration", "zone", "guard", "edge", "alarms"),
    ]


def test_it_is_taken_down_the_other_way_round_and_what_was_published_is_kept() -> None:
    every = steps.removal(FULL, TEMPLATES)
    assert titles(every) == [
        EndWork().title,
        *(f"delete {name}" for name in ("alarms", "edge", "guard", "orchestration")),
        # what visitors have started meanwhile: nothing more can be, and the cluster cannot go
        # while a task runs
        EndWork().title,
        EndTransfers().title,
        "delete compute",
        DeleteFunctions().title,
        DeleteSecret().title,
        *(f"delete {name}" for name in ("functions", "roles", "storage", "network")),
    ]
    assert not any(isinstance(step, DeleteStack) and step.stack.endswith("-data") for step in every)


def test_every_step_knows_what_those_before_found_out() -> None:
    fake = Fake()
    known = steps.run(
        [PushImage(), DeployFunctions(), Triggers()], fake, {"Account": "1"}, lambda _line: None
    )
    assert fake.known[2] == {
        "Account": "1",
        PushImage().title: "done",
        DeployFunctions().title: "done",
    }
    assert known == {**fake.known[2], Triggers().title: "done"}


@pytest.mark.parametrize("failing", range(1, len(EVERY) + 1))
def test_a_failure_ends_it_there_says_where_and_another_run_goes_on(failing: int) -> None:
    every = EVERY
    step = every[failing - 1]
    first = next(number for number, one in enumerate(every, 1) if one.title == step.title)
    fake, said = Fake(step.title), list[str]()
    with pytest.raises(DeployError) as error:
        steps.run(every, fake, {}, said.append)
    assert str(error.value).startswith(f"step {first} of {len(EVERY)}, {step.title}: the reason")
    assert "run the same command again" in str(error.value)
    assert len(fake.done) == first - 1
    assert said[-1] == f"[{first}/{len(EVERY)}] {step.title}"
    fake.failing.clear()
    steps.run(every, fake, {}, said.append)
    assert fake.done[first - 1 :] == [one.title for one in every]


def test_a_stack_gets_what_is_known_of_its_parameters_and_says_what_is_missing() -> None:
    stack = template(
        "edge", RestApi={"Type": "String"}, WebsocketApi={"Type": "String", "Default": "*"}
    )
    assert parameters_of(stack, {"RestApi": "abc", "Other": "x"}) == {"RestApi": "abc"}
    assert parameters_of(stack, {"RestApi": "abc", "WebsocketApi": "def"}) == {
        "RestApi": "abc",
        "WebsocketApi": "def",
    }
    with pytest.raises(
        DeployError, match="sheen-full-edge needs RestApi, which no step before has found out"
    ):
        parameters_of(stack, {})


def test_every_parameter_of_every_stage_is_found_out_before_its_stack(
    templates: Mapping[str, list[StackTemplate]],
) -> None:
    found_by = {
        PushImage: {"AgentImage", "BuildsImage"},
        DeployFunctions: {"RestApi", "WebsocketApi"},
        Secret: {"EdgeSecret"},
    }
    for name, every in templates.items():
        known: dict[str, str] = {}
        for step in steps.deployment(load(name), every):
            if isinstance(step, DeployStack):
                parameters_of(step.template, known)
                known |= dict.fromkeys(step.template.body.get("Outputs", {}), "")
            known |= dict.fromkeys(found_by.get(type(step), ()), "")
        needed = {
            "Repository",
            "InstancesStream",
            "ErrandsStream",
            "TaskSubnets",
            "TaskSecurityGroup",
            "FunctionSubnets",
            "FunctionSecurityGroup",
        }
        assert needed <= known.keys(), "what infra.aws.deploy reads"
