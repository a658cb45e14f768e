"""What ECS is asked for when a state machine wants a task."""

from typing import Any
from unittest import mock

from chalicelib.aws import clients, run_task
from chalicelib.configuration.deployment import Settings

EVENT: run_task.RunEvent = {
    "definition": "sheen-test-build",
    "container": "build",
    "capacity": "FARGATE",
    "started_by": "x",
    "environment": {"A": "b"},
    "token": "token",
}


def test_a_task_has_the_tags_of_its_definition_or_the_budget_would_not_see_it() -> None:
    settings = Settings(
        "bucket",
        "sheen-test-",
        "/",
        cluster="sheen-test",
        subnets=("subnet-1",),
        task_security_group="group",
    )
    ecs: Any = mock.Mock()
    ecs.run_task.return_value = {"failures": []}
    with mock.patch.object(clients, "client", lambda _service: ecs):
        run_task.run(EVENT, settings)
    assert ecs.run_task.call_args.kwargs["propagateTags"] == "TASK_DEFINITION"
