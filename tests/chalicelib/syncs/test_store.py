"""Definitions are changed whole or not at all, and each time of a schedule comes once."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from unittest.mock import patch

import pytest

from chalicelib.syncs import store
from chalicelib.syncs.definition import SyncDefinition
from chalicelib.syncs.errors import BadSync, NoSuchSync
from chalicelib.syncs.model import Sync
from tests.chalicelib.aws_in_process import BUCKET

HOUR = 3600.0


def test_a_new_sync_is_due_at_once_and_then_by_its_schedule(dynamodb_calls: Counter[str]) -> None:
    definition = store.define("sales", {}, BUCKET, 1000.0)
    assert not store.due(store.find("sales"), definition, 999.0)
    assert store.due(store.find("sales"), definition, 1000.0)
    assert not store.due(store.find("sales"), definition, 1000.0 + HOUR - 1)
    assert store.due(store.find("sales"), definition, 1000.0 + HOUR)


def test_times_that_were_missed_are_one(dynamodb_calls: Counter[str]) -> None:
    definition = store.define("sales", {}, BUCKET, 0.0)
    assert store.due(store.find("sales"), definition, 10 * HOUR)
    assert not store.due(store.find("sales"), definition, 10 * HOUR + 1)


def test_of_many_who_ask_at_once_one_is_told_that_it_is_due(dynamodb_calls: Counter[str]) -> None:
    definition = store.define("sales", {}, BUCKET, 0.0)
    row = store.find("sales")
    with ThreadPoolExecutor(8) as pool:
        assert (
            sum(pool.map(lambda _: store.due(Sync.get(row.name), definition, 5.0), range(8))) == 1
        )


def test_settings_change_one_by_one_and_go_back(dynamodb_calls: Counter[str]) -> None:
    store.define("sales", {"delete": "true", "schedule": "never"}, BUCKET, 0.0)
    first = store.find("sales")
    assert first.due_at is None
    assert store.define("sales", {"schedule": None}, BUCKET, 5.0).delete
    changed = store.find("sales")
    assert (changed.due_at, changed.read_gid, changed.write_gid) == (
        5.0,
        first.read_gid,
        first.write_gid,
    )
    assert first.read_gid != first.write_gid


def test_a_bad_change_changes_nothing(dynamodb_calls: Counter[str]) -> None:
    store.define("sales", {"delete": "true"}, BUCKET, 0.0)
    with pytest.raises(BadSync):
        store.define("sales", {"delete": None, "verify": "some"}, BUCKET, 1.0)
    assert store.find("sales").settings == {"delete": True}


def test_what_is_not_there_is_said(dynamodb_calls: Counter[str]) -> None:
    with pytest.raises(NoSuchSync, match='no sync "nothing"'):
        store.find("nothing")


@pytest.mark.parametrize(
    ("change", "forgotten"),
    [
        ({"prefix": "data/other/"}, True),
        ({"bucket": "other-data"}, True),
        ({"exclude": "*.tmp"}, True),
        ({"retries": "1"}, False),
    ],
)
def test_what_brings_something_else_is_due_and_not_yet_there(
    dynamodb_calls: Counter[str], change: dict[str, str], forgotten: bool
) -> None:
    definition = store.define("sales", {}, BUCKET, 0.0)
    assert store.due(store.find("sales"), definition, 1.0)
    store.is_as_of(store.find("sales"), Sync.transferred_at, 1.0)
    store.define("sales", change, BUCKET, 5.0, ("other-data/",))
    row = store.find("sales")
    assert (row.transferred_at is None, row.due_at == 5.0) == (forgotten, forgotten)
    if forgotten:  # what was asked before has brought the other
        store.is_as_of(row, Sync.transferred_at, 4.0)
        assert store.find("sales").transferred_at is None


def test_a_change_of_settings_undoes_nothing_that_was_written_meanwhile(
    dynamodb_calls: Counter[str],
) -> None:
    store.define("sales", {}, BUCKET, 0.0)
    parse, first = SyncDefinition.parse, iter([True])

    def meanwhile(*given: Any) -> SyncDefinition:
        if next(first, False):
            store.update(Sync("sales"), [Sync.task_arn.set("task"), Sync.folder_ready.set(True)])
            store.define("sales", {"delete": "true"}, BUCKET, 2.0)
        return parse(*given)

    with patch.object(SyncDefinition, "parse", meanwhile):
        store.define("sales", {"retries": "1"}, BUCKET, 3.0)
    row = store.find("sales")
    assert (row.task_arn, row.folder_ready, row.settings) == (
        "task",
        True,
        {"delete": True, "retries": 1},
    )
