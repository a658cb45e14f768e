"""A run from step to step: what is asked is brought once, failures end and are told, and no step
does harm when it is repeated.
"""

import json
from typing import Any
from unittest.mock import patch

import pytest
from botocore.exceptions import ClientError

from chalicelib.apps import store as apps
from chalicelib.apps.model import App
from chalicelib.syncs import consequences, requests, runs, steps, store, transfers
from chalicelib.syncs.errors import NoSuchSync
from chalicelib.syncs.model import RunStatus, Sync, SyncRequest, SyncRun, Way
from tests.chalicelib.aws_in_process import BUCKET
from tests.chalicelib.syncs.standin_aws import SETTINGS, Services

SOME = (
    "Transfer and verification completed. Selected files transferred except for files "
    "skipped due to errors."
)


class Machine:
    """The state machine of one run of one sync, as far as its steps see it."""

    def __init__(self, way: Way = Way.TRANSFER, ready: bool = True, **settings: Any) -> None:
        self.now = 1000.0
        self.definition = store.define("sales", {"schedule": "never", **settings}, BUCKET, self.now)
        if ready:
            store.update(store.find("sales"), [Sync.folder_ready.set(True)])
        self.way = way
        self.event: dict[str, Any] = {}
        self.order: steps.Order = {"do": ""}

    def ask(self, prefix: str = "") -> str:
        self.now += 1
        return requests.ask_for_prefix(self.definition, prefix, "asked", self.now)[self.way]

    def begin(self) -> steps.Order:
        self.now += 1
        run_id = requests.start("sales", self.way, SETTINGS.sync_state_machine, self.now)
        assert run_id is not None
        self.run_id = run_id
        return self.step()

    def step(self, **event: Any) -> steps.Order:
        self.now += 1
        self.event = {"sync": "sales", "way": str(self.way), "run": self.run_id, **event}
        return self.repeat()

    def repeat(self) -> steps.Order:
        self.order = steps.step(self.event, SETTINGS, lambda: self.now)
        return self.order

    def did(self, failures: Any = (), restart: Any = (), **counts: int) -> steps.Order:
        return self.step(
            order=self._done(),
            did={"counts": counts, "failures": list(failures), "restart": list(restart)},
        )

    def failed(self, error: str = "TransferFailed", **cause: Any) -> steps.Order:
        return self.step(
            order=self._done(),
            error={"Error": error, "Cause": json.dumps({"errorMessage": "no", **cause})},
        )

    def _done(self) -> dict[str, str]:
        return {"id": self.order["id"], "work": self.order["work"]}

    @property
    def run(self) -> SyncRun:
        found = runs.find("sales", self.run_id)
        assert found is not None
        return found

    def includes(self) -> list[str]:
        return [rule["Value"] for rule in self.order["transfer"]["includes"]]

    def pending(self) -> list[str]:
        return sorted(row.target for row in requests.pending("sales", self.way))


def app(location: str, **settings: Any) -> None:
    apps.ensure(location, 1.0).update(actions=[App.settings.set(settings)])


def reader() -> None:
    app("/shown", data="sales=read", restart_on_sync=True)


def test_a_run_makes_the_folder_brings_what_is_asked_and_says_how_old_it_is(
    services: Services,
) -> None:
    machine = Machine(ready=False)
    machine.ask()
    asked = machine.now
    assert machine.begin()["work"] == "prepare"
    assert machine.did()["do"] == "transfer"
    assert machine.includes() == []
    assert machine.did(files_copied=2)["do"] == "end"
    assert (machine.run.status, machine.run.files_copied, machine.pending()) == (
        RunStatus.SUCCEEDED,
        2,
        [],
    )
    assert store.find("sales").transferred_at == asked
    assert requests.lease("sales", Way.TRANSFER) is None


def test_when_all_is_asked_again_before_it_is_taken_nothing_else_is_transferred(
    services: Services,
) -> None:
    machine = Machine()
    machine.ask("2026/")
    take, times = requests.take, iter(range(2))

    def too_late(rows: list[SyncRequest], run_id: str) -> list[SyncRequest]:
        if next(times, None) is not None:
            machine.ask("2026/")
        return take(rows, run_id)

    with patch.object(requests, "take", too_late):
        machine.begin()
    assert machine.includes() == ["/2026"]


def test_what_is_gone_before_it_is_taken_ends_the_run(services: Services) -> None:
    machine = Machine()
    machine.ask("2026/")
    with patch.object(transfers, "ensure_task", lambda *_: requests.forget("sales")):
        assert machine.begin()["do"] == "end"


def test_more_prefixes_than_a_filter_takes_come_one_filter_after_the_other_and_the_whole_has_them_all(  # noqa: E501
    services: Services,
) -> None:
    machine = Machine()
    prefixes = [f"{'ä' * 100}{number:03}/" for number in range(600)]
    for prefix in prefixes:
        machine.ask(prefix)
    order = machine.begin()
    brought: list[str] = []
    while order["do"] == "transfer":
        [value] = machine.includes()
        assert len(json.dumps(order)) < 256 << 10
        brought += value.split("|")
        order = machine.did(files_copied=1)
    assert sorted(brought) == [f"/{prefix[:-1]}" for prefix in prefixes]
    for prefix in ["", "a/", "b/"]:
        machine.ask(prefix)
    machine.begin()
    assert machine.includes() == []
    assert machine.did()["do"] == "end"
    assert machine.pending() == []


def test_a_repeated_step_does_not_forget_what_is_only_about_to_be_brought(
    services: Services,
) -> None:
    machine = Machine()
    machine.ask("a/")
    machine.begin()
    machine.ask("b/")
    assert machine.did(files_copied=1)["do"] == "transfer"
    machine.repeat()  # its answer was lost
    assert (machine.includes(), machine.pending(), machine.run.files_copied) == (["/b"], ["b/"], 1)


def test_failures_are_tried_again_after_longer_and_longer_pauses_and_then_told(
    services: Services,
) -> None:
    machine = Machine(retries=2)
    machine.ask()
    machine.begin()
    pauses = []
    while machine.failed()["do"] == "wait":
        pauses.append(machine.order["seconds"])
        assert machine.run.message == f"no. Again in {pauses[-1]} s."
        assert machine.step()["do"] == "transfer"
    assert pauses == [20, 60]
    assert machine.order["do"] == "fail"
    assert (machine.run.status, machine.run.message, machine.pending()) == (
        RunStatus.FAILED,
        "no.",
        [],
    )
    [told] = services.of("publish")
    assert told["Message"].startswith(f"Sync sales, run {machine.run_id} (asked): failed.\nno.\n")


def test_a_step_that_goes_well_makes_a_new_start_for_the_next(services: Services) -> None:
    machine = Machine(retries=1)
    machine.ask("a/")
    machine.begin()
    machine.failed()
    machine.step()
    machine.ask("b/")
    assert machine.did(files_copied=1)["do"] == "transfer"
    assert machine.failed()["do"] == "wait"


@pytest.mark.parametrize("why", ["removed", "bad"])
def test_a_run_that_makes_no_sense_any_more_is_told_once_and_no_other_follows(
    services: Services, why: str
) -> None:
    machine = Machine(ready=False)
    machine.ask()
    machine.begin()
    machine.ask("a/")
    if why == "removed":
        store.remove("sales")
    else:
        store.update(store.find("sales"), [Sync.settings.set({"prefix": "data/ä/"})])
    assert machine.did()["do"] == "fail"
    assert machine.repeat()["do"] == "fail"
    assert (machine.pending(), requests.lease("sales", Way.TRANSFER)) == ([], None)
    assert len(services.of("publish")) == len(services.of("start_execution")) == 1


def test_a_folder_that_cannot_be_made_ends_the_run_and_what_it_was_asked(
    services: Services,
) -> None:
    machine = Machine(ready=False, retries=1)
    stamp = machine.ask()
    machine.begin()
    machine.failed("TaskDied")
    assert machine.step()["work"] == "prepare"
    machine.ask("later/")
    assert machine.failed("TaskDied")["do"] == "fail"
    assert machine.pending() == ["later/"]  # a run of its own brings it
    assert machine.run.stamps == {stamp}
    assert len(services.of("start_execution")) == 2


def test_a_bucket_that_may_not_be_read_is_said_and_leaves_no_locations(services: Services) -> None:
    machine = Machine(retries=1)
    machine.ask()
    services.fail["create_location_efs"] = ("InvalidRequestException", "no mount target")
    assert machine.begin()["do"] == "wait"
    assert "no mount target" in machine.run.message
    assert not services.there
    services.fail["create_location_s3"] = (
        "InvalidRequestException",
        "DataSync location access test failed",
    )
    assert machine.step()["do"] == "fail"
    assert "DataSync location access test failed" in services.of("publish")[0]["Message"]
    assert machine.pending() == []


def test_a_task_for_another_source_takes_the_place_of_the_one_before_with_its_locations(
    services: Services,
) -> None:
    machine = Machine()
    for bucket in (BUCKET, "other-data"):
        store.define("sales", {"bucket": bucket}, BUCKET, machine.now, ("other-data/",))
        machine.ask()
        machine.begin()
        assert machine.did()["do"] == "end"
    assert len(services.there) == 3


def test_what_a_failed_attempt_has_brought_restarts_apps_and_is_counted(services: Services) -> None:
    reader()
    machine = Machine()
    machine.ask()
    machine.begin()
    machine.failed(counts={"files_copied": 3, "bytes_copied": 30})
    machine.step()
    assert machine.did(files_skipped=3, files_seen=3)["do"] == "end"
    assert (machine.run.files_copied, machine.run.files_seen) == (3, 3)
    assert [json.loads(call["Payload"])["location"] for call in services.of("invoke")] == ["/shown"]


def test_what_a_run_that_fails_has_brought_is_published_before_it_ends(services: Services) -> None:
    reader()
    machine = Machine(publish="/", retries=0)
    machine.ask()
    machine.begin()
    assert machine.failed(counts={"files_copied": 1})["work"] == "apps"
    assert machine.run.status == RunStatus.RUNNING
    assert machine.did(restart=["/site"])["do"] == "fail"
    assert (machine.run.status, machine.run.message) == (RunStatus.FAILED, "no.")
    assert [json.loads(call["Payload"])["location"] for call in services.of("invoke")] == [
        "/site",
        "/shown",
    ]


def test_a_failed_publish_after_a_failed_transfer_ends_the_run_too(services: Services) -> None:
    machine = Machine(publish="/", retries=0)
    machine.ask()
    machine.begin()
    machine.failed(counts={"files_copied": 1})
    assert machine.failed("TaskDied", errorMessage="out of memory")["do"] == "fail"
    assert machine.run.message == "no."


def test_files_that_failed_make_a_run_partial_and_the_data_no_newer(services: Services) -> None:
    machine = Machine()
    machine.ask()
    machine.begin()
    machine.did(failures=[["DataSync", SOME]], files_copied=1, files_failed=2)
    assert (machine.run.status, machine.run.failures) == (RunStatus.PARTIAL, [["DataSync", SOME]])
    assert store.find("sales").transferred_at is None
    assert "2 files failed" in services.of("publish")[0]["Message"]
    assert SOME in services.of("publish")[0]["Message"]


@pytest.mark.parametrize("broken", ["publish", "invoke"])
def test_what_follows_from_a_run_is_done_by_the_repeat_when_it_could_not_be_done(
    services: Services, broken: str
) -> None:
    reader()
    machine = Machine()
    machine.ask()
    machine.begin()
    services.fail[broken] = ("InternalError", "try again")
    with pytest.raises(ClientError):
        machine.did(files_copied=1, files_failed=1)
    assert machine.run.status == RunStatus.RUNNING
    services.fail.clear()
    services.calls.clear()
    assert machine.repeat()["do"] == "end"
    assert (len(services.of("publish")), len(services.of("invoke"))) == (1, 1)
    assert machine.run.files_copied == 1


def test_apps_of_a_site_are_restarted_by_the_repeat(services: Services) -> None:
    machine = Machine(publish="/")
    machine.ask()
    machine.begin()
    machine.did(files_copied=1)
    services.fail["invoke"] = ("InternalError", "try again")
    with pytest.raises(ClientError):
        machine.did(restart=["/site"])
    services.fail.clear()
    assert machine.repeat()["do"] == "end"
    assert len(services.of("invoke")) == 2


def test_urgent_files_are_the_copy_tasks_and_asked_again_when_it_dies(services: Services) -> None:
    machine = Machine(Way.COPY, urgent="/", retries=1)
    machine.ask("a/")
    assert machine.begin()["work"] == "copy"
    assert machine.failed("TaskDied")["do"] == "wait"
    assert machine.step()["work"] == "copy"
    assert machine.failed("States.HeartbeatTimeout")["do"] == "fail"
    assert machine.pending() == []
    assert "no sign of life" in machine.run.message


def test_a_feed_that_never_ends_does_not_keep_one_run_for_ever(services: Services) -> None:
    machine = Machine(Way.COPY, urgent="/")
    requests.ask_for_object(machine.definition, "first", 1, machine.now)
    assert machine.begin()["work"] == "copy"
    assert (
        machine.failed(
            "NotCopied", counts={"files_failed": 1}, failures=[["a//b", "no file can be called so"]]
        )["do"]
        == "wait"
    )
    assert machine.step()["work"] == "copy"
    assert machine.did(files_copied=1)["do"] == "end"
    assert (machine.run.status, machine.run.failures) == (
        RunStatus.PARTIAL,
        [["a//b", "no file can be called so"]],
    )
    following = requests.lease("sales", Way.COPY)
    assert following is not None
    assert (machine.pending(), following.run_id > machine.run_id) == (["first"], True)


def test_an_execution_of_a_sync_that_has_gone_is_not_followed(services: Services) -> None:
    machine = Machine()
    machine.ask()
    machine.begin()
    store.remove("sales")
    with pytest.raises(NoSuchSync):
        steps.follow(
            {
                "sync": "sales",
                "run": machine.run_id,
                "execution": "task/1/execution/1",
                "token": "t",
            }
        )


@pytest.mark.parametrize(
    ("described", "operation"),
    [
        ({"Status": "SUCCESS", "FilesTransferred": 1}, "send_task_success"),
        (
            {"Status": "ERROR", "Result": {"ErrorCode": "X", "ErrorDetail": SOME}},
            "send_task_success",
        ),
        (
            {
                "Status": "ERROR",
                "FilesTransferred": 2,
                "Result": {"ErrorCode": "X", "ErrorDetail": "no access"},
            },
            "send_task_failure",
        ),
    ],
)
def test_the_end_of_an_execution_answers_who_waits_for_it(
    services: Services, described: dict[str, Any], operation: str
) -> None:
    machine = Machine()
    machine.ask()
    machine.begin()
    store.update(store.find("sales"), [Sync.task_arn.set("task/1")])
    services.answers["describe_task_execution"] = {"Status": "LAUNCHING"}
    steps.follow(
        {"sync": "sales", "run": machine.run_id, "execution": "task/1/execution/1", "token": "t"}
    )
    assert not services.of(operation)
    services.answers["describe_task_execution"] = described
    steps.on_transfer_change({"resources": ["task/1/execution/1"]})
    [answer] = services.of(operation)
    assert answer["taskToken"] == "t"
    if operation == "send_task_failure":
        assert json.loads(answer["cause"]) == {
            "errorMessage": "DataSync: X: no access",
            "counts": {"files_copied": 2},
        }


def test_only_apps_that_want_it_are_restarted(services: Services) -> None:
    reader()
    app("/calm", data="sales=read")
    app("/other", data="stock=read", restart_on_sync=True)
    assert consequences.restart_readers("sales", "function") == ["/shown"]
