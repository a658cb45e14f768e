"""The life of an instance by the very machine that AWS gets: it ends asleep, or with a reason;
never with a task that runs on.
"""

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from pynamodb.exceptions import GetError, UpdateError

from chalicelib.aws import run_task
from chalicelib.configuration.app_settings import AppSettings
from chalicelib.configuration.deployment import Settings
from chalicelib.instances import spares, store
from chalicelib.instances.model import InstanceRef
from chalicelib.lives.starts import Start
from chalicelib.scheduler.seating import Scheduler, Seated
from chalicelib.sessions.connections import store as connections
from tests.chalicelib.standin_agent import Got, Say, StandinAgent, standin_agent
from tests.statemachines.services import ROOT, Services, services, state_machine


@pytest.fixture(scope="module")
def aws() -> Iterator[Services]:
    with services() as running:
        yield running


@pytest.fixture
def agent(aws: Services) -> Iterator[StandinAgent]:
    aws.tasks.clear()
    aws.stopped.clear()
    aws.fail_functions.clear()
    aws.fail_run_task = aws.no_capacity = 0
    aws.told.clear()
    aws.run_task = lambda parameters: None
    with standin_agent() as server:
        server.answer = lambda got: Say(204, body=b"")
        yield server


def environment_of(task: dict[str, Any]) -> dict[str, str]:
    (container,) = task["overrides"]["containerOverrides"]
    return {variable["name"]: variable["value"] for variable in container["environment"]}


def claim() -> InstanceRef:
    version_id = f"0123456789ab.{time.time_ns()}"
    claimed = store.claim(version_id, 0, app="/hello", capacity=9, now=time.time())
    assert claimed is not None
    return claimed.ref


def start(ref: InstanceRef, quicker: dict[str, int] | None = None) -> str:
    arn = state_machine("instance", quicker)
    run = boto3.client("stepfunctions").start_execution(
        stateMachineArn=arn, name=ref.instance_id, input=json.dumps(Start(ref, "small").document())
    )
    return str(run["executionArn"])


def until(condition: Callable[[], bool], seconds: float = 25) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.05)


def state(ref: InstanceRef) -> str:
    row = store.get(ref)
    assert row is not None
    return str(row.state)


def status(run: str) -> str:
    return str(boto3.client("stepfunctions").describe_execution(executionArn=run)["status"])


def entered(run: str) -> list[str]:
    """The states that an execution came through: what is paid for."""
    events = boto3.client("stepfunctions").get_execution_history(executionArn=run, maxResults=1000)[
        "events"
    ]
    return [
        event["stateEnteredEventDetails"]["name"]
        for event in events
        if event["type"].endswith("StateEntered")
    ]


def die(task: dict[str, Any]) -> None:
    boto3.client("stepfunctions").send_task_failure(
        taskToken=environment_of(task)["SHEEN_TASK_TOKEN"],
        error="TaskDied",
        cause="CannotPullContainerError",
    )


def answer_ready(agent: StandinAgent) -> Callable[[dict[str, Any]], None]:
    def run_task(task: dict[str, Any]) -> None:
        output = json.dumps({"address": agent.address, "task_arn": "task/1"})
        boto3.client("stepfunctions").send_task_success(
            taskToken=environment_of(task)["SHEEN_TASK_TOKEN"], output=output
        )

    return run_task


def tokens(agent: StandinAgent) -> list[str]:
    return [json.loads(got.body)["token"] for got in agent.got if got.path == "/watch"]


def test_it_starts_serves_and_falls_asleep(aws: Services, agent: StandinAgent) -> None:
    aws.run_task = answer_ready(agent)
    aws.fail_functions = {"instance_watch": 1, "instance_drain": 1, "instance_stop": 1}
    ref = claim()
    run = start(ref)
    until(lambda: state(ref) == "READY")
    (task,) = aws.tasks
    assert environment_of(task)["SHEEN_INSTANCE"] == str(ref)
    assert task["taskDefinition"] == "the-AgentFamilysmall"
    assert task["capacityProviderStrategy"] == [
        {"capacityProvider": "the-InstanceCapacity", "weight": 1}
    ]
    assert (task["startedBy"], len(task["clientToken"])) == (ref.instance_id, 64)
    boto3.client("stepfunctions").send_task_success(
        taskToken=tokens(agent)[-1], output='{"idle": true}'
    )
    until(lambda: status(run) == "SUCCEEDED")
    assert state(ref) == "STOPPED"
    assert aws.stopped == ["task/1"]
    row = store.get(ref)
    assert row is not None
    assert row.failure is None


def test_a_visitor_who_comes_at_the_last_moment_keeps_it(
    aws: Services, agent: StandinAgent
) -> None:
    aws.run_task = answer_ready(agent)
    ref = claim()
    run = start(ref)
    until(lambda: state(ref) == "READY")
    assert store.take_seat(ref, "visitor", time.time() + 45)
    boto3.client("stepfunctions").send_task_success(
        taskToken=tokens(agent)[-1], output='{"idle": true}'
    )
    until(lambda: len(tokens(agent)) == 2)
    until(lambda: getattr(store.get(ref), "token", None) == tokens(agent)[-1])
    assert (state(ref), status(run)) == ("READY", "RUNNING")
    store.give_back(ref, "visitor")
    boto3.client("stepfunctions").send_task_success(
        taskToken=tokens(agent)[-1], output='{"idle": true}'
    )
    until(lambda: status(run) == "SUCCEEDED")


def test_an_app_that_stops_while_starting_ends_with_what_r_said(
    aws: Services, agent: StandinAgent
) -> None:
    def run_task(task: dict[str, Any]) -> None:
        boto3.client("stepfunctions").send_task_failure(
            taskToken=environment_of(task)["SHEEN_TASK_TOKEN"],
            error="AppStartFailed",
            cause="Error in library(nope)",
        )

    aws.run_task = run_task
    aws.fail_functions = {"instance_fail": 1}
    ref = claim()
    run = start(ref)
    until(lambda: status(run) == "FAILED")
    row = store.get(ref)
    assert row is not None
    assert (row.state, row.failure) == (
        "STOPPED",
        {"error": "AppStartFailed", "cause": "Error in library(nope)"},
    )
    assert aws.stopped == ["task/1"]


@pytest.mark.parametrize("silent", ["StartTask", "Watch"])
def test_silence_is_a_failure(aws: Services, agent: StandinAgent, silent: str) -> None:
    if silent == "Watch":
        aws.run_task = answer_ready(agent)
    ref = claim()
    run = start(ref, {silent: 1})
    until(lambda: status(run) == "FAILED")
    row = store.get(ref)
    assert row is not None
    assert row.state == "STOPPED"
    assert "Timeout" in row.failure["error"]
    assert aws.stopped == (["task/1", "task/2"] if silent == "StartTask" else ["task/1"])


def test_the_visitors_of_an_instance_that_falls_silent_are_told(
    aws: Services, agent: StandinAgent
) -> None:
    aws.run_task = answer_ready(agent)
    ref = claim()
    run = start(ref, {"Watch": 1})
    connections.add("c1", ref, "s1", time.time())
    until(lambda: status(run) == "FAILED")
    (posted,) = [body for connection, body in aws.told if connection == "c1" and body]
    assert posted.startswith(b'c[4503,"')
    assert connections.find("c1") is None


def test_a_start_that_fails_is_tried_again_with_another_task(
    aws: Services, agent: StandinAgent
) -> None:
    def run_task(task: dict[str, Any]) -> None:
        die(task) if len(aws.tasks) < 3 else answer_ready(agent)(task)

    aws.run_task, aws.fail_run_task = run_task, 1
    ref = claim()
    run = start(ref)
    until(lambda: state(ref) == "READY")
    assert len({task["clientToken"] for task in aws.tasks}) == len(aws.tasks) == 3
    boto3.client("stepfunctions").send_task_success(
        taskToken=tokens(agent)[-1], output='{"idle": true}'
    )
    until(lambda: status(run) == "SUCCEEDED")


def test_a_start_that_finds_no_room_is_tried_again_after_a_while_that_grows(
    aws: Services, agent: StandinAgent
) -> None:
    aws.run_task, aws.no_capacity = answer_ready(agent), 3
    ref = claim()
    run = start(ref)
    until(lambda: state(ref) == "READY")
    assert (len(aws.tasks), status(run)) == (1, "RUNNING")
    boto3.client("stepfunctions").send_task_success(
        taskToken=tokens(agent)[-1], output='{"idle": true}'
    )
    until(lambda: status(run) == "SUCCEEDED")
    retriers = json.loads((ROOT / "statemachines" / "instance.asl.json").read_text())["States"][
        "StartTask"
    ]["Retry"]
    (tried_again,) = [one for one in retriers if one["ErrorEquals"] == ["States.TaskFailed"]]
    assert (
        tried_again["IntervalSeconds"],
        tried_again["BackoffRate"],
        tried_again["MaxAttempts"],
    ) == (2, 3, 3)


def test_a_start_that_never_finds_room_is_given_up_at_once_and_says_so(
    aws: Services, agent: StandinAgent
) -> None:
    aws.no_capacity = 100
    ref = claim()
    run = start(ref)
    until(lambda: status(run) == "FAILED")
    row = store.get(ref)
    assert row is not None
    assert row.failure == {
        "error": "NoMachine",
        "cause": "No machine was to be had: Capacity is unavailable at this time.",
    }
    assert (100 - aws.no_capacity, aws.tasks) == (4, [])


def test_whoever_asks_for_a_task_twice_with_one_token_means_one_task(
    aws: Services, agent: StandinAgent
) -> None:
    wanted: Any = {
        "definition": "d",
        "container": "agent",
        "capacity": "FARGATE",
        "started_by": "me",
        "environment": {},
    }
    for token in ("one", "one", "two"):
        assert aws.invoke("task_run", json.dumps({**wanted, "token": token}).encode())[2] == b"null"
    first, again, second = (task["clientToken"] for task in aws.tasks)
    assert first == again != second


def test_a_shell_can_be_opened_in_a_task_if_operators_want_it(
    monkeypatch: pytest.MonkeyPatch, aws: Services, agent: StandinAgent
) -> None:
    wanted: Any = {
        "definition": "d",
        "container": "agent",
        "capacity": "FARGATE",
        "started_by": "me",
        "environment": {},
    }
    for allowed in ("false", "true"):
        monkeypatch.setenv("SHEEN_EXECUTE_COMMAND", allowed)
        event: Any = {**wanted, "token": allowed}
        run_task.run(event, Settings.from_environment())
    assert [task["enableExecuteCommand"] for task in aws.tasks] == [False, True]


def test_a_start_is_given_up_after_a_bounded_number_of_attempts_with_the_last_reason(
    aws: Services, agent: StandinAgent
) -> None:
    aws.run_task = die
    ref = claim()
    run = start(ref)
    until(lambda: status(run) == "FAILED")
    row = store.get(ref)
    assert row is not None
    assert (row.state, row.failure) == (
        "STOPPED",
        {"error": "TaskDied", "cause": "CannotPullContainerError"},
    )
    assert len(aws.tasks) == 4
    assert len(aws.stopped) == 4


def test_what_is_not_the_instances_fault_does_not_take_it_down_with_its_visitors(
    aws: Services, agent: StandinAgent
) -> None:
    """A table that was not there for a moment, a function that ran out of time: errors without end,
    none of which is in any list.
    """
    aws.run_task = answer_ready(agent)
    failures = iter(
        [
            UpdateError("ProvisionedThroughputExceeded"),
            MemoryError(),
            GetError("InternalServerError"),
        ]
    )

    def fail() -> None:
        if (error := next(failures, None)) is not None:
            raise error

    aws.after = {"instance_watch": fail}
    ref = claim()
    run = start(ref)
    until(lambda: len(tokens(agent)) == 4)
    until(lambda: getattr(store.get(ref), "token", None) == tokens(agent)[-1])
    assert (state(ref), status(run)) == ("READY", "RUNNING")
    aws.after = {}
    boto3.client("stepfunctions").send_task_success(
        taskToken=tokens(agent)[-1], output='{"idle": true}'
    )
    until(lambda: status(run) == "SUCCEEDED")
    orders = [json.loads(got.body)["order"] for got in agent.got if got.path == "/watch"]
    assert orders == sorted(set(orders)), (
        "each attempt's token is known to be later than the one before"
    )


def test_a_task_that_died_is_not_watched_again(aws: Services, agent: StandinAgent) -> None:
    aws.run_task = answer_ready(agent)
    ref = claim()
    run = start(ref)
    until(lambda: state(ref) == "READY")
    boto3.client("stepfunctions").send_task_failure(
        taskToken=tokens(agent)[-1], error="TaskDied", cause="OutOfMemory"
    )
    until(lambda: status(run) == "FAILED")
    row = store.get(ref)
    assert row is not None
    assert (row.failure["error"], len(tokens(agent))) == ("TaskDied", 1)


def test_a_life_costs_the_same_whether_it_lasts_a_minute_or_a_week(
    aws: Services, agent: StandinAgent
) -> None:
    """What happens in a week and not in a minute: beats, visitors, and the leases of their
    seats.
    """

    def live(beats: int) -> list[str]:
        agent.got.clear()
        ref = claim()
        run = start(ref)
        until(lambda: state(ref) == "READY")
        for beat in range(beats):
            boto3.client("stepfunctions").send_task_heartbeat(taskToken=tokens(agent)[-1])
            assert store.take_seat(ref, f"visitor-{beat}", time.time() + 45)
            store.renew(ref, {f"visitor-{beat}": time.time() + 180})
            assert store.give_back(ref, f"visitor-{beat}")
        boto3.client("stepfunctions").send_task_success(
            taskToken=tokens(agent)[-1], output='{"idle": true}'
        )
        until(lambda: status(run) == "SUCCEEDED")
        return entered(run)

    aws.run_task = answer_ready(agent)
    assert live(3) == live(150) == ["StartTask", "Watch", "Drain", "Drained", "Stop", "Asleep"]


def test_a_spare_starts_like_any_instance_and_falls_asleep_with_the_app_that_took_it(
    aws: Services, agent: StandinAgent
) -> None:
    aws.run_task = answer_ready(agent)
    spare = spares.claim("small", time.time())
    run = start(spare.ref)
    until(lambda: state(spare.ref) == "READY")
    (task,) = aws.tasks
    assert environment_of(task)["SHEEN_INSTANCE"] == str(spare.ref)
    version_id = f"0123456789ab.{time.time_ns()}"
    outcome = Scheduler(time.time, {"small"}).seat(
        version_id, "/hello", AppSettings(size="small"), "visitor"
    )
    assert isinstance(outcome, Seated)
    app = outcome.instance.ref
    boto3.client("stepfunctions").send_task_success(
        taskToken=tokens(agent)[-1], output='{"idle": true}'
    )
    until(lambda: len(tokens(agent)) == 2)
    until(lambda: getattr(store.get(app), "token", None) == tokens(agent)[-1])
    assert (state(app), status(run)) == ("READY", "RUNNING")
    store.give_back(app, "visitor")
    boto3.client("stepfunctions").send_task_success(
        taskToken=tokens(agent)[-1], output='{"idle": true}'
    )
    until(lambda: status(run) == "SUCCEEDED")
    assert (state(app), state(spare.ref)) == ("STOPPED", "STOPPED")
    assert aws.stopped == ["task/1"]


def test_an_agent_that_beats_is_not_given_up(aws: Services, agent: StandinAgent) -> None:
    aws.run_task = answer_ready(agent)
    ref = claim()
    run = start(ref, {"Watch": 2})
    until(lambda: len(tokens(agent)) == 1)
    for _ in range(8):
        boto3.client("stepfunctions").send_task_heartbeat(taskToken=tokens(agent)[-1])
        time.sleep(0.5)
    assert (state(ref), status(run)) == ("READY", "RUNNING")
    boto3.client("stepfunctions").send_task_success(
        taskToken=tokens(agent)[-1], output='{"idle": true}'
    )
    until(lambda: status(run) == "SUCCEEDED")


def test_an_agent_that_refuses_its_token_is_stopped_without_a_visitor_sent_to_it(
    aws: Services, agent: StandinAgent
) -> None:
    states = []

    def refuse(got: Got) -> Say:
        states.append(state(ref))
        return Say(410, [("sheen-refused", "another instance")])

    agent.answer = refuse
    aws.run_task = answer_ready(agent)
    ref = claim()
    run = start(ref)
    until(lambda: status(run) == "FAILED")
    row = store.get(ref)
    assert row is not None
    assert (row.state, row.failure["error"]) == ("STOPPED", "AgentGone")
    assert set(states) == {"STARTING"}
    assert len(set(tokens(agent))) == len(states) == 4, "tried again, with a new token each time"
    assert aws.stopped == ["task/1"]
