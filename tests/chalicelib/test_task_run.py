"""What ECS is asked for when a state machine wants a task."""

from typing import Any
from unittest import mock

from chalicelib import aws, tasks
from chalicelib.settings import Settings

EVENT: tasks.RunEvent = {
    "definition": "sheen-test-build",
    "container": "build",
    "capacity": "FARGATE",
    "started_by": "x",
    "environment": {"A": "b"},
    "token": "token",
}


def test_a_task_has_the_tags_of_its_definition_or_the_budget_would_not_see_it() -> None:
    settings = Settings("bucket", "sheen-test-", "/", cluster="sheen-test", subnets="subnet-1", task_security_group="group")
    ecs: Any = mock.Mock()
    ecs.run_task.return_value = {"failures": []}
    with mock.patch.object(aws, "client", lambda _service: ecs):
        tasks.run(EVENT, settings)
    assert ecs.run_task.call_args.kwargs["propagateTags"] == "TASK_DEFINITION"
