"""Tasks that end by themselves: the row, the state machine and the visitors learn of it, whatever
came first.
"""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from chalicelib.aws import clients
from chalicelib.instances import store
from chalicelib.instances.model import InstanceRef
from chalicelib.lives import deaths
from chalicelib.sessions.connections import store as connections

pytestmark = pytest.mark.usefixtures("dynamodb_calls")
URL = "https://sockets.example/socket"
CLUSTER = "sheen-test"
HERE = {"clusterArn": f"arn:aws:ecs:us-east-1:123456789012:cluster/{CLUSTER}"}


class Calls:
    """Stands in for AWS's clients, and remembers what was asked of them."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.refuse: dict[str, str] = {}

    def __getattr__(self, name: str) -> Any:
        def call(**arguments: Any) -> dict[str, Any]:
            self.calls.append((name, arguments))
            if name in self.refuse:
                raise ClientError({"Error": {"Code": self.refuse[name], "Message": ""}}, name)
            return {}

        return call


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Calls:
    made = Calls()
    monkeypatch.setattr(clients, "client", lambda service, endpoint=None: made)
    return made


def clock() -> float:
    return 1_800_000_000.0


def detail(ref: InstanceRef, token: str = "ready-token") -> dict[str, Any]:  # noqa: S107
    environment = [
        {"name": "SHEEN_INSTANCE", "value": str(ref)},
        {"name": "SHEEN_TASK_TOKEN", "value": token},
    ]
    return {
        **HERE,
        "taskArn": "task/1",
        "lastStatus": "STOPPED",
        "stoppedReason": "Essential container in task exited",
        "containers": [{"name": "agent", "exitCode": 137}],
        "overrides": {"containerOverrides": [{"name": "agent", "environment": environment}]},
    }


def started(ready: bool) -> InstanceRef:
    claimed = store.claim("0123456789ab.v", 0, app="/hello", capacity=9, now=1.0)
    assert claimed is not None
    if ready:
        store.mark_ready(claimed.ref, "10.0.0.1:8080", "watch-token", 1.0, "task/1")
    return claimed.ref


def test_visitors_of_a_dead_instance_are_told_and_its_slot_is_free(calls: Calls) -> None:
    ref = started(ready=True)
    connections.add("c1", ref, "s1", 1.0)
    connections.add("c2", ref, "s2", 1.0)
    deaths.on_task_stopped(detail(ref), CLUSTER, URL, clock)
    row = store.get(ref)
    assert row is not None
    assert (row.state, row.failure["error"]) == ("STOPPED", "TaskDied")
    assert "exit code 137" in row.failure["cause"]
    failed = [
        arguments["taskToken"] for name, arguments in calls.calls if name == "send_task_failure"
    ]
    assert failed == ["ready-token", "watch-token"]
    posts = {
        arguments["ConnectionId"]: arguments["Data"]
        for name, arguments in calls.calls
        if name == "post_to_connection"
    }
    assert posts.keys() == {"c1", "c2"}
    assert posts["c1"].startswith(b'c[4503,"')
    assert connections.of_instance(ref) == []


def test_the_same_event_again_and_answered_tokens_are_no_error(calls: Calls) -> None:
    calls.refuse = {"send_task_failure": "TaskTimedOut", "post_to_connection": "GoneException"}
    ref = started(ready=True)
    connections.add("c1", ref, "s1", 1.0)
    for _ in range(2):
        deaths.on_task_stopped(detail(ref), CLUSTER, URL, clock)


def test_a_start_that_failed_keeps_the_agents_own_reason(calls: Calls) -> None:
    ref = started(ready=False)
    deaths.on_task_stopped(detail(ref), CLUSTER, URL, clock)
    row = store.get(ref)
    assert row is not None
    assert row.state == "STARTING", "its state machine says why it failed"
    assert [name for name, _ in calls.calls] == ["send_task_failure"]


def test_a_planned_stop_is_no_death(calls: Calls) -> None:
    ref = started(ready=True)
    assert store.drain(ref, clock())
    deaths.on_task_stopped(detail(ref), CLUSTER, URL, clock)
    row = store.get(ref)
    assert row is not None
    assert row.state == "DRAINING"
    assert calls.calls == []


def test_the_end_of_an_older_task_does_not_touch_the_slots_new_instance(calls: Calls) -> None:
    old = started(ready=True)
    store.mark_stopped(old, None, 1.0)
    new = store.claim(
        "0123456789ab.v",
        0,
        app="/hello",
        capacity=9,
        now=1.0,
        seen=store.in_slot("0123456789ab.v", 0),
    )
    deaths.on_task_stopped(detail(old), CLUSTER, URL, clock)
    assert new is not None
    row = store.get(new.ref)
    assert row is not None
    assert row.state == "STARTING"
    assert calls.calls == []


def test_the_end_of_an_attempt_that_failed_does_not_touch_the_instance_that_came_of_the_next(
    calls: Calls,
) -> None:
    ref = started(ready=True)
    connections.add("c1", ref, "s1", 1.0)
    deaths.on_task_stopped({**detail(ref, "first-token"), "taskArn": "task/0"}, CLUSTER, URL, clock)
    row = store.get(ref)
    assert row is not None
    assert row.state == "READY"
    assert calls.calls == [
        (
            "send_task_failure",
            {
                "taskToken": "first-token",
                "error": "TaskDied",
                "cause": "Essential container in task exited (exit code 137)",
            },
        )
    ]


def test_that_memory_had_run_out_is_said_by_the_container_alone() -> None:
    """The event's detail as AWS sends it for a task on Fargate, without what is not read."""
    event = {
        "clusterArn": "arn:aws:ecs:eu-central-1:123456789012:cluster/sheen-prod",
        "containers": [
            {
                "containerArn": "arn:aws:ecs:eu-central-1:123456789012:container/sheen-prod/1dc5/29d6",  # noqa: E501
                "exitCode": 137,
                "lastStatus": "STOPPED",
                "name": "agent",
                "reason": "OutOfMemoryError: Container killed due to memory usage",
                "runtimeId": "1dc5-3935",
                "taskArn": "arn:aws:ecs:eu-central-1:123456789012:task/sheen-prod/1dc5",
                "cpu": "0",
            }
        ],
        "desiredStatus": "STOPPED",
        "lastStatus": "STOPPED",
        "launchType": "FARGATE",
        "overrides": {"containerOverrides": [{"name": "agent", "environment": []}]},
        "stopCode": "EssentialContainerExited",
        "stoppedReason": "Essential container in task exited",
        "taskArn": "arn:aws:ecs:eu-central-1:123456789012:task/sheen-prod/1dc5",
        "version": 6,
    }
    assert deaths.read(event).cause == (
        "Essential container in task exited: OutOfMemoryError: Container killed due to "
        "memory usage (exit code 137)"
    )


def test_a_builds_task_has_its_token_answered(calls: Calls) -> None:
    environment = [
        {"name": "SHEEN_BUNDLE_KEY", "value": "bundles/a.zip"},
        {"name": "SHEEN_TASK_TOKEN", "value": "build-token"},
    ]
    event = {
        **HERE,
        "stoppedReason": "OutOfMemory",
        "overrides": {"containerOverrides": [{"environment": environment}]},
    }
    deaths.on_task_stopped(event, CLUSTER, URL, clock)
    assert calls.calls == [
        (
            "send_task_failure",
            {"taskToken": "build-token", "error": "TaskDied", "cause": "OutOfMemory"},
        )
    ]


def test_a_strange_task_is_left_alone(calls: Calls) -> None:
    overrides: tuple[dict[str, Any], ...] = ({}, {"containerOverrides": [{"name": "x"}]})
    for event in ({}, *({"overrides": each} for each in overrides)):
        deaths.on_task_stopped({**HERE, **event}, CLUSTER, URL, clock)
    assert calls.calls == []


@pytest.mark.parametrize(
    "cluster",
    [
        "arn:aws:ecs:us-east-1:123456789012:cluster/sheen-test-2",
        "arn:aws:ecs:us-east-1:123456789012:cluster/x",
    ],
)
def test_another_deployments_task_is_left_to_it(calls: Calls, cluster: str) -> None:
    ref = started(ready=True)
    deaths.on_task_stopped({**detail(ref), "clusterArn": cluster}, CLUSTER, URL, clock)
    row = store.get(ref)
    assert row is not None
    assert (row.state, calls.calls) == ("READY", [])
