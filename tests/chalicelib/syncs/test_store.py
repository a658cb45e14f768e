"""Definitions are changed whole or not at all, and each time of a schedule comes once."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from chalicelib.syncs import store
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
        assert sum(pool.map(lambda _: store.due(Sync.get(row.name), definition, 5.0), range(8))) == 1


def test_settings_change_one_by_one_and_go_back(dynamodb_calls: Counter[str]) -> None:
    store.define("sales", {"delete": "true", "schedule": "never"}, BUCKET, 0.0)
    first = store.find("sales")
    assert first.due_at is None
    assert store.define("sales", {"schedule": None}, BUCKET, 5.0).delete
    changed = store.find("sales")
    assert (changed.due_at, changed.read_gid, changed.write_gid) == (5.0, first.read_gid, first.write_gid)
    assert first.read_gid != first.write_gid


def test_a_bad_change_changes_nothing(dynamodb_calls: Counter[str]) -> None:
    store.define("sales", {"delete": "true"}, BUCKET, 0.0)
    with pytest.raises(BadSync):
        store.define("sales", {"delete": None, "verify": "some"}, BUCKET, 1.0)
    assert store.find("sales").settings == {"delete": True}


def test_what_is_not_there_is_said(dynamodb_calls: Counter[str]) -> None:
    with pytest.raises(NoSuchSync, match='no sync "nothing"'):
        store.find("nothing")
