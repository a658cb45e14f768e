"""CloudWatch Logs' API, as boto3 and awscli call it."""

import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.infra.tiny_process import TinyStack

GROUP = "/tiny/local/things"


@pytest.fixture
def app() -> str:
    """The beginning of streams' names that no other test uses."""
    return uuid.uuid4().hex[:12]


@pytest.fixture
def logs(tiny: TinyStack) -> Any:
    return tiny.client("logs")


def put(logs: Any, stream: str, *lines: str, at_ms: int | None = None) -> int:
    first = at_ms if at_ms is not None else int(time.time() * 1000)
    events = [{"timestamp": first + number, "message": line} for number, line in enumerate(lines)]
    logs.put_log_events(logGroupName=GROUP, logStreamName=stream, logEvents=events)
    return first


def filtered(logs: Any, **parameters: Any) -> list[dict[str, Any]]:
    pages = logs.get_paginator("filter_log_events").paginate(logGroupName=GROUP, **parameters)
    return [event for page in pages for event in page["events"]]


def messages(events: Sequence[dict[str, Any]]) -> list[str]:
    return [event["message"] for event in events]


def refused(call: Any, **parameters: Any) -> str:
    with pytest.raises(ClientError) as caught:
        call(logGroupName=GROUP, **parameters)
    code: str = caught.value.response["Error"]["Code"]
    return code


def test_what_several_streams_got_comes_back_in_one_order_and_in_pages(logs: Any, app: str) -> None:
    begin = int(time.time() * 1000) - 50_000
    for number in range(3):
        logs.create_log_stream(logGroupName=GROUP, logStreamName=f"{app}/{number}")
        for step in range(20):
            put(
                logs, f"{app}/{number}", f"{step * 3 + number:02d}", at_ms=begin + step * 3 + number
            )
    every = [f"{number:02d}" for number in range(60)]
    assert messages(filtered(logs, logStreamNamePrefix=f"{app}/")) == every
    assert (
        messages(filtered(logs, logStreamNamePrefix=f"{app}/", PaginationConfig={"PageSize": 7}))
        == every
    )
    assert messages(filtered(logs, logStreamNames=[f"{app}/1"])) == every[1::3]
    assert (
        messages(
            filtered(logs, logStreamNamePrefix=f"{app}/", startTime=begin + 10, endTime=begin + 12)
        )
        == every[10:13]
    )
    assert messages(filtered(logs, logStreamNamePrefix=f"{app}/", filterPattern="1 ?9 ?4")) == [
        "14",
        "19",
        "41",
    ]


def test_get_log_events_goes_forward_and_back(logs: Any, app: str) -> None:
    logs.create_log_stream(logGroupName=GROUP, logStreamName=app)
    put(logs, app, *"abcdefgh")
    asked = {"logGroupName": GROUP, "logStreamName": app, "limit": 3}
    last = logs.get_log_events(**asked)
    assert messages(last["events"]) == ["f", "g", "h"]
    assert messages(
        logs.get_log_events(**asked, nextToken=last["nextBackwardToken"])["events"]
    ) == ["c", "d", "e"]
    page = logs.get_log_events(**asked, startFromHead=True)
    assert messages(page["events"]) == ["a", "b", "c"]
    seen = messages(page["events"])
    while True:  # as every reader does: until the token stays the same
        following = logs.get_log_events(**asked, nextToken=page["nextForwardToken"])
        if following["nextForwardToken"] == page["nextForwardToken"]:
            break
        page = following
        seen += messages(page["events"])
    assert seen == list("abcdefgh")


def test_streams_are_described_by_name_and_by_their_last_event(logs: Any, app: str) -> None:
    now = int(time.time() * 1000)
    for name, at_ms in (("b", now - 1000), ("a", now - 3000), ("c", now - 2000)):
        logs.create_log_stream(logGroupName=GROUP, logStreamName=f"{app}/{name}")
        put(logs, f"{app}/{name}", "x", at_ms=at_ms)
    streams = logs.describe_log_streams(logGroupName=GROUP, logStreamNamePrefix=app)["logStreams"]
    assert [stream["logStreamName"][-1] for stream in streams] == ["a", "b", "c"]
    assert streams[0]["lastEventTimestamp"] == now - 3000
    ordered = logs.describe_log_streams(
        logGroupName=GROUP, orderBy="LastEventTime", descending=True
    )["logStreams"]
    own = [
        stream["logStreamName"][-1] for stream in ordered if stream["logStreamName"].startswith(app)
    ]
    assert own == ["b", "c", "a"]


def test_what_the_service_refuses_is_refused(logs: Any, app: str) -> None:
    now = int(time.time() * 1000)
    assert (
        refused(
            logs.put_log_events, logStreamName=app, logEvents=[{"timestamp": now, "message": "x"}]
        )
        == "ResourceNotFoundException"
    )
    assert refused(logs.delete_log_stream, logStreamName=app) == "ResourceNotFoundException"
    assert refused(logs.create_log_stream, logStreamName=f"{app}:x") == "InvalidParameterException"
    logs.create_log_stream(logGroupName=GROUP, logStreamName=app)
    assert refused(logs.create_log_stream, logStreamName=app) == "ResourceAlreadyExistsException"

    def batch(*events: tuple[int, str]) -> str:
        listed = [{"timestamp": at_ms, "message": text} for at_ms, text in events]
        return refused(logs.put_log_events, logStreamName=app, logEvents=listed)

    assert batch((now, "late"), (now - 1, "early")) == "InvalidParameterException"
    assert (
        batch((now - 25 * 3600 * 1000, "yesterday"), (now, "today")) == "InvalidParameterException"
    )
    assert batch((now, "x" * 262_144)) == "InvalidParameterException"
    assert batch(*[(now, "x" * 250_000)] * 5) == "InvalidParameterException"
    assert batch(*[(now, "x")] * 10_001) == "InvalidParameterException"
    assert filtered(logs, logStreamNames=[app]) == []


def test_events_of_an_impossible_time_are_left_out_and_told(logs: Any, app: str) -> None:
    logs.create_log_stream(logGroupName=GROUP, logStreamName=app)
    now, day = int(time.time() * 1000), 24 * 3600 * 1000
    told = []
    for at_ms in (now - 15 * day, now + day):
        events = [{"timestamp": at_ms, "message": "x"}]
        told.append(
            logs.put_log_events(logGroupName=GROUP, logStreamName=app, logEvents=events)[
                "rejectedLogEventsInfo"
            ]
        )
    assert told == [{"tooOldLogEventEndIndex": 1}, {"tooNewLogEventStartIndex": 0}]
    assert filtered(logs, logStreamNames=[app]) == []


def test_a_deleted_stream_is_gone_with_its_file(tiny: TinyStack, logs: Any, app: str) -> None:
    logs.create_log_stream(logGroupName=GROUP, logStreamName=app)
    put(logs, app, "x")
    file = tiny.data / "logs" / "things" / f"{app}.log"
    assert file.exists()
    logs.delete_log_stream(logGroupName=GROUP, logStreamName=app)
    assert not file.exists()
    assert filtered(logs, logStreamNamePrefix=app) == []


def test_awscli_finds_the_group_and_its_events(tiny: TinyStack, logs: Any, app: str) -> None:
    logs.create_log_stream(logGroupName=GROUP, logStreamName=app)
    put(logs, app, "seen by awscli")

    def aws(*arguments: str) -> Any:
        program = Path(sys.executable).with_name("aws")
        environment = {"PATH": os.environ["PATH"], **tiny.environment()}
        return json.loads(subprocess.check_output([program, "logs", *arguments], env=environment))

    groups = aws("describe-log-groups")["logGroups"]
    assert [(group["logGroupName"], group["retentionInDays"]) for group in groups] == [(GROUP, 7)]
    events = aws(
        "filter-log-events",
        "--log-group-name",
        GROUP,
        "--log-stream-name-prefix",
        app,
        "--interleaved",
    )["events"]
    assert messages(events) == ["seen by awscli"]


def test_logs_outlive_the_stack_until_their_retention_is_over(own_tiny: TinyStack) -> None:
    own_tiny.start()
    logs = own_tiny.client("logs")
    for name in ("kept", "old"):
        logs.create_log_stream(logGroupName=GROUP, logStreamName=name)
        put(logs, name, f"{name} words")
    own_tiny.stop()
    eight_days_ago = time.time() - 8 * 24 * 3600
    os.utime(own_tiny.data / "logs" / "things" / "old.log", (eight_days_ago, eight_days_ago))
    own_tiny.start()
    logs = own_tiny.client("logs")
    assert messages(filtered(logs)) == ["kept words"]
    put(logs, "kept", "and more")
    assert messages(filtered(logs)) == ["kept words", "and more"]
