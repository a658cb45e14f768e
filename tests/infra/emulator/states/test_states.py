"""State machines: moto's engine does what Step Functions does with task tokens, heartbeats and
errors (FACTS E6a, M2).
"""

import json
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.infra.tiny_process import TinyStack
from tests.support.waiting import until

MACHINE = "arn:aws:states:us-east-1:123456789012:stateMachine:tiny-local-life"


def start(tiny: TinyStack, do: str, *, answer: bool | str = True, beats: int = 0) -> str:
    document = {
        "script": str(tiny.project / "task.py"),
        "do": do,
        "answer": answer,
        "beats": str(beats),
    }
    result = tiny.client("stepfunctions").start_execution(
        stateMachineArn=MACHINE, name=uuid.uuid4().hex, input=json.dumps(document)
    )
    arn: str = result["executionArn"]
    return arn


def finished(tiny: TinyStack, arn: str, within: float = 20) -> dict[str, Any]:
    client = tiny.client("stepfunctions")
    result = until(
        lambda: (
            (execution := client.describe_execution(executionArn=arn))["status"] != "RUNNING"
            and execution
        ),
        within,
        arn,
    )
    assert result["status"] == "SUCCEEDED", result
    output: dict[str, Any] = json.loads(result["output"])
    return output


def watched_token(tiny: TinyStack, before: int) -> str:
    token: str = until(lambda: tiny.notes("watch")[before:], what="the watch function")[0]["token"]
    return token


def test_a_task_answers_its_token_then_a_function_hands_on_the_next(tiny: TinyStack) -> None:
    output = finished(tiny, start(tiny, "ready"))
    assert output["task"]["address"].startswith("127.77.")
    assert output["watch"] == {"idle": True}
    assert output["stopped"]["Task"]["DesiredStatus"] == "STOPPED"
    tasks = tiny.client("ecs").describe_tasks(
        cluster="tiny-local", tasks=[output["task"]["task_arn"]]
    )["tasks"]
    assert tasks[0]["stoppedReason"] == "idle"
    assert tasks[0]["enableExecuteCommand"] is False


def test_a_failure_given_for_a_token_is_caught_with_its_error(tiny: TinyStack) -> None:
    assert finished(tiny, start(tiny, "fail"))["error"] == {
        "Error": "AppStartFailed",
        "Cause": "no app",
    }


def test_silence_is_a_heartbeat_timeout(tiny: TinyStack) -> None:
    assert finished(tiny, start(tiny, "wait"))["error"]["Error"] == "States.HeartbeatTimeout"


def test_a_task_that_beats_is_waited_for_and_then_its_silence_counts(tiny: TinyStack) -> None:
    output = finished(
        tiny, start(tiny, "beat", beats=10)
    )  # 5 s of beats, more than the 3 s of silence that are allowed
    assert output["error"]["Error"] == "States.HeartbeatTimeout"


def test_a_token_counts_once(tiny: TinyStack) -> None:
    before = len(tiny.notes("watch"))
    arn = start(tiny, "ready", answer=False)
    token = watched_token(tiny, before)
    client = tiny.client("stepfunctions")
    client.send_task_heartbeat(taskToken=token)
    client.send_task_success(taskToken=token, output="{}")
    calls: tuple[Callable[[], object], ...] = (
        lambda: client.send_task_success(taskToken=token, output='{"second": true}'),
        lambda: client.send_task_failure(taskToken=token, error="Late"),
        lambda: client.send_task_heartbeat(taskToken=token),
    )
    for call in calls:
        with pytest.raises(client.exceptions.TaskTimedOut):
            call()
    assert finished(tiny, arn)["watch"] == {}


def test_a_retried_state_has_a_token_of_its_own(tiny: TinyStack) -> None:
    before = len(tiny.notes("watch"))
    assert finished(tiny, start(tiny, "ready", answer="retry"))["watch"] == {"idle": True}
    first, second = (note["token"] for note in tiny.notes("watch")[before:])
    assert first != second


def test_a_token_of_a_state_that_timed_out_is_refused(tiny: TinyStack) -> None:
    before = len(tiny.notes("watch"))
    arn = start(tiny, "ready", answer=False)
    token = watched_token(tiny, before)
    assert finished(tiny, arn)["error"]["Error"] == "States.HeartbeatTimeout"
    client = tiny.client("stepfunctions")
    with pytest.raises(client.exceptions.TaskTimedOut):
        client.send_task_success(taskToken=token, output="{}")


def test_a_token_that_never_was_is_invalid(tiny: TinyStack) -> None:
    client = tiny.client("stepfunctions")
    with pytest.raises(client.exceptions.InvalidToken):
        client.send_task_heartbeat(taskToken="nonsense")


def test_an_execution_is_started_once_per_name(tiny: TinyStack) -> None:
    client = tiny.client("stepfunctions")
    document = {"script": str(tiny.project / "task.py"), "do": "fail", "answer": True, "beats": "0"}
    name = uuid.uuid4().hex
    client.start_execution(stateMachineArn=MACHINE, name=name, input=json.dumps(document))
    with pytest.raises(client.exceptions.ExecutionAlreadyExists):
        client.start_execution(
            stateMachineArn=MACHINE, name=name, input=json.dumps(document | {"do": "ready"})
        )


def test_finished_and_stopped_executions_leave_no_threads(tiny: TinyStack) -> None:
    client = tiny.client("stepfunctions")
    before = len(tiny.notes("watch"))
    first = start(tiny, "ready", answer=False)
    watched_token(tiny, before)
    idle = _engine_threads(tiny)
    arns = [start(tiny, "fail") for _ in range(10)]
    stopped = start(tiny, "wait")
    client.stop_execution(executionArn=stopped)
    client.stop_execution(executionArn=first)
    for arn in arns:
        finished(tiny, arn)
    until(lambda: _engine_threads(tiny) <= idle, what=f"the engine's threads to end, {idle} before")


def _engine_threads(tiny: TinyStack) -> int:
    """Threads of moto's process, connections apart: those are the front's."""
    assert tiny.process is not None
    children = (
        Path(f"/proc/{tiny.process.pid}/task/{tiny.process.pid}/children").read_text().split()
    )
    moto = next(
        pid
        for pid in children
        if b"infra.emulator.moto.process" in Path(f"/proc/{pid}/cmdline").read_bytes()
    )
    threads = len(list(Path(f"/proc/{moto}/task").iterdir()))
    sockets = sum("socket:" in str(link.readlink()) for link in Path(f"/proc/{moto}/fd").iterdir())
    return threads - sockets
