"""Who asks, and the clock that sees after what runs: nothing is forgotten, and one sync's trouble
is not another's.
"""

import json
from typing import Any

import pytest

from chalicelib.syncs import asking, requests, runs, steps, store
from chalicelib.syncs.model import RunStatus, Sync, SyncRun, Way
from tests.chalicelib.aws_in_process import BUCKET
from tests.chalicelib.syncs.standin_aws import SETTINGS, Services

MACHINE = SETTINGS.sync_state_machine


def define(name: str = "sales", **settings: Any) -> None:
    store.define(name, {"schedule": "never", **settings}, BUCKET, 1.0)


def spoil(name: str) -> None:
    """A definition that was made when rules were others."""
    store.update(store.find(name), [Sync.settings.set({"urgent": "/", "verify": "some"})])


def written(key: str, size: int = 5) -> dict[str, Any]:
    return {"detail": {"bucket": {"name": BUCKET}, "object": {"key": key, "size": size}}}


def ask(now: float, prefix: str = "") -> str:
    return requests.ask_for_prefix(store.find("sales").definition(BUCKET), prefix, "asked", now)[
        Way.TRANSFER
    ]


def running(now: float) -> SyncRun:
    """A run that has just begun, of one request."""
    ask(now)
    run_id = requests.start("sales", Way.TRANSFER, MACHINE, now)
    assert run_id is not None
    return runs.begin("sales", Way.TRANSFER, run_id, now)


def test_an_urgent_object_comes_though_another_syncs_definition_is_bad(services: Services) -> None:
    define("bad")
    define(urgent="/")
    spoil("bad")
    assert asking.on_object(written("data/sales/a +ä"), SETTINGS, 2.0) == 1
    assert [row.target for row in requests.pending("sales", Way.COPY)] == ["a +ä"]
    assert len(services.of("start_execution")) == 1


def test_the_run_that_answers_is_found_however_many_came_since(services: Services) -> None:
    define()
    first = running(1_800_000_000.0)
    stamp = ask(1_800_000_010.0)  # taken by the one that runs
    runs.note(first, requests.pending("sales", Way.TRANSFER), "")
    for number in range(60):
        runs.begin("sales", Way.COPY, requests.new_run_id(Way.COPY, 1_800_000_020.0 + number), 1.0)
    found = asking.answering("sales", stamp)
    assert found is not None
    assert found.run_id == first.run_id
    assert asking.answering("sales", ask(1_800_000_100.0)) is None


def test_a_run_that_was_never_started_is(services: Services) -> None:
    define()
    run = running(10.0)
    services.fail["describe_execution"] = ("ExecutionDoesNotExist", "")
    asking.tick(SETTINGS, 10.0 + asking.LOST_AFTER)
    assert len(services.of("start_execution")) == 1
    asking.tick(SETTINGS, 11.0 + asking.LOST_AFTER)
    again = services.of("start_execution")
    assert len(again) == 2
    assert again[0] == again[1]
    assert len(requests.pending("sales", Way.TRANSFER)) == 1
    assert run.status == RunStatus.RUNNING


@pytest.mark.parametrize("silent", [False, True])
def test_a_run_whose_execution_is_gone_is_told_with_its_reason_and_not_for_ever(
    services: Services, silent: bool
) -> None:
    define()
    run = running(10.0)
    services.answers["describe_execution"] = {
        "status": "FAILED",
        "error": "Lambda.Unknown",
        "cause": json.dumps({"errorMessage": "no row"}),
    }
    if silent:
        services.answers["describe_execution"] = {"status": "ABORTED"}
    asking.tick(SETTINGS, 11.0 + asking.LOST_AFTER)
    ended = runs.find("sales", run.run_id)
    assert ended is not None
    expected = "(aborted): it does not say why." if silent else "(failed): no row."
    assert (ended.status, ended.message) == (
        RunStatus.FAILED,
        f"Its state machine ended {expected}",
    )
    assert expected in services.of("publish")[0]["Message"]
    assert requests.pending("sales", Way.TRANSFER) == []
    assert requests.lease("sales", Way.TRANSFER) is None
    asking.tick(SETTINGS, 12.0 + asking.LOST_AFTER)
    assert (len(services.of("publish")), len(services.of("start_execution"))) == (1, 1)


def test_a_lost_run_is_over_even_if_nobody_can_be_told(services: Services) -> None:
    define()
    running(10.0)
    services.answers["describe_execution"] = {"status": "FAILED"}
    services.fail["publish"] = ("NotFound", "no topic")
    for _ in range(2):
        asking.tick(SETTINGS, 11.0 + asking.LOST_AFTER)
    assert requests.lease("sales", Way.TRANSFER) is None


def test_a_transfer_that_hangs_is_stopped_and_what_it_brought_is_not_lost(
    services: Services,
) -> None:
    define(stall_timeout=10)
    run = running(10.0)
    services.answers["describe_task_execution"] = {"Status": "TRANSFERRING", "FilesTransferred": 3}
    steps.follow(
        {"sync": "sales", "run": run.run_id, "execution": "task/1/execution/1", "token": "t"}
    )
    asking.tick(SETTINGS, 20.0)
    asking.tick(SETTINGS, 29.0)
    assert not services.of("send_task_failure")
    asking.tick(SETTINGS, 30.0)
    [told] = services.of("send_task_failure")
    assert (told["error"], json.loads(told["cause"])["counts"]) == ("Stalled", {"files_copied": 3})
    assert "no progress for 10 s (TRANSFERRING)" in json.loads(told["cause"])["errorMessage"]


def test_an_end_that_nobody_was_told_of_is_found(services: Services) -> None:
    define()
    run = running(10.0)
    services.answers["describe_task_execution"] = {"Status": "LAUNCHING"}
    steps.follow(
        {"sync": "sales", "run": run.run_id, "execution": "task/1/execution/1", "token": "t"}
    )
    services.answers["describe_task_execution"] = {"Status": "SUCCESS"}
    asking.tick(SETTINGS, 20.0)
    assert [answer["taskToken"] for answer in services.of("send_task_success")] == ["t"]


def test_the_clock_sees_after_the_others_when_one_definition_is_bad(services: Services) -> None:
    define("bad")
    define(schedule="rate(1 hour)")
    spoil("bad")
    asking.tick(SETTINGS, 2.0)
    assert [row.trigger for row in requests.pending("sales", Way.TRANSFER)] == ["schedule"]
