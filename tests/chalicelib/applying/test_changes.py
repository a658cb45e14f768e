"""One configuration holds: changes come in an order, broken files change nothing, and a late or
repeated upload does not undo a newer change.
"""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.applying import changes, contents, store, uploads
from chalicelib.applying.decision import KEPT
from chalicelib.applying.model import Change, ConfigurationRow
from chalicelib.apps import store as apps
from chalicelib.apps.model import App
from chalicelib.aws import clients
from chalicelib.configuration.applied import Content
from chalicelib.configuration.errors import BadConfiguration, NoSuchConfiguration
from chalicelib.configuration.keys import (
    APPLIED,
    OUTCOME,
    PASSWORDS,
    UPLOAD,
    applied_key,
    passwords_key,
)
from tests.chalicelib.aws_in_process import BUCKET, empty_tables
from tests.chalicelib.direct_dynamodb import direct_dynamodb
from tests.chalicelib.interleaving import Interleaving
from tests.support.effort import amount

pytestmark = pytest.mark.usefixtures("dynamodb_calls")
NOW = 1_800_000_000.0
SITE = "location / { site_dir /srv/shiny-server; log_dir /var/log/shiny-server; }"
GOOD = f"run_as shiny; server {{ listen 80; {SITE} }}"
BROKEN = f"run_as shiny; server {{\n  listen 80\n  {SITE} }}\nsanitise_errors on;"


def put(configuration_id: str, text: str = GOOD, passwords: bytes | None = None) -> None:
    contents.put(BUCKET, configuration_id, Content("x.conf", text), passwords)


def ask(action: str, **more: Any) -> changes.Outcome:
    return changes.on_demand({"action": action, "by": "ann", **more}, BUCKET, lambda: NOW)


def holds() -> str | None:
    return store.pointer().configuration


def objects(prefix: str) -> set[str]:
    answer = clients.client("s3").list_objects_v2(Bucket=BUCKET, Prefix=prefix)
    return {found["Key"] for found in answer.get("Contents", ())}


@pytest.fixture(autouse=True)
def _empty_bucket() -> None:
    for key in objects("config/"):
        clients.client("s3").delete_object(Bucket=BUCKET, Key=key)


def test_a_file_is_applied_and_the_history_says_by_whom() -> None:
    put("a")
    outcome = ask("apply", id="a", notes=["a note"])
    assert outcome["change"] == "applied"
    assert outcome["summary"].startswith("no errors, ")
    assert outcome["warnings"] == ["a note"]
    assert holds() == "a"
    [row] = store.history()
    assert (row.by, row.at, row.file, row.warning_count) == ("ann", NOW, "x.conf", 1)


def test_a_broken_file_changes_nothing_and_all_its_errors_are_kept() -> None:
    put("a")
    ask("apply", id="a")
    put("b", BROKEN)
    outcome = ask("apply", id="b")
    assert holds() == "a"
    assert outcome["change"] == "refused"
    assert [error.partition(" ")[0] for error in outcome["errors"]] == [
        "x.conf:2:3:",
        "x.conf:4:1:",
    ]
    assert "sanitize_errors" in outcome["errors"][1]
    newest = store.history()[0]
    assert (newest.change, newest.configuration) == (Change.REFUSED, "b")
    with pytest.raises(NoSuchConfiguration):
        ask("rollback", id="b")


def test_a_thousand_errors_fit_into_an_entry() -> None:
    put("a", f"{'é' * 900} x;\n" * 1000)
    outcome = ask("apply", id="a")
    assert (len(outcome["errors"]), outcome["error_count"]) == (50, 1000)


def test_rollback_leads_back_and_forth_or_to_any_of_the_history() -> None:
    with pytest.raises(NoSuchConfiguration, match="no configuration before"):
        ask("rollback")
    for name in ("a", "b", "c"):
        put(name)
        ask("apply", id=name)
    assert ask("rollback")["configuration"] == "b"
    assert ask("rollback")["configuration"] == "c"
    assert ask("rollback", id="a")["change"] == "rolled back"
    assert ask("clear")["configuration"] == ""
    assert holds() is None
    ask("rollback")
    assert holds() == "a"
    with pytest.raises(NoSuchConfiguration, match="sheen config history"):
        ask("rollback", id="other")
    assert holds() == "a"


def test_a_configuration_that_today_has_errors_does_not_come_back() -> None:
    for name in ("a", "b"):
        put(name)
        ask("apply", id=name)
    put("a", BROKEN)
    with pytest.raises(BadConfiguration, match="a has 2 errors by the rules of this release"):
        ask("rollback")
    assert holds() == "b"


def test_the_history_and_its_objects_are_bounded() -> None:
    for number in range(KEPT + 5):
        put(f"c{number}", passwords=b"secret")
        ask("apply", id=f"c{number}")
    kept = [f"c{number}" for number in range(5, KEPT + 5)]
    assert [row.configuration for row in store.history()] == kept[::-1]
    assert objects(APPLIED) == {applied_key(name) for name in kept}
    assert objects(PASSWORDS) == {passwords_key(name) for name in kept}


@pytest.mark.parametrize(
    "event",
    [
        {},
        {"action": "apply", "by": "ann"},
        {"action": "apply", "by": "ann", "id": "../a"},
        {"action": "apply", "by": "ann", "id": "a", "notes": [1]},
        {"action": "drop", "by": "ann"},
        {"action": "clear"},
        {"action": "clear", "by": "ann", "more": 1},
    ],
)
def test_other_payloads_are_refused(event: dict[str, Any]) -> None:
    with pytest.raises(BadConfiguration, match="the payload is not"):
        changes.on_demand(event, BUCKET, lambda: NOW)
    assert store.history() == []


@settings(max_examples=amount(200, least=20))
@given(order=st.lists(st.integers(0, 2), max_size=30))
def test_of_changes_at_once_each_has_its_place_and_the_last_holds(order: list[int]) -> None:
    turns = Interleaving()
    with direct_dynamodb(turns.before):
        empty_tables()
        for name in ("a", "b", "c"):
            put(name)
        ask("apply", id="a")
        turns.run(
            order,
            lambda: ask("apply", id="b"),
            lambda: ask("apply", id="c"),
            lambda: ask("rollback", id="a"),
        )
        newest = store.history()
        assert sorted(str(row.configuration) for row in newest) == ["a", "a", "b", "c"]
        assert holds() == newest[0].configuration
        assert store.pointer().number == 4
        assert objects(APPLIED) == {applied_key(name) for name in "abc"}


def test_the_apps_whose_settings_change_are_named() -> None:
    for path in ("/hello", "/other"):
        apps.ensure(path, NOW).update(actions=[App.active_version.set("v1")])
    apps.ensure("/empty", NOW)
    put("base", GOOD.replace(SITE, f"log_dir /l; {SITE}"))
    ask("apply", id="base")
    put(
        "a",
        "run_as shiny; log_dir /l; server { listen 80; "
        f"location /hello {{ app_idle_timeout 77; app_dir /srv/h; }} {SITE} }}",
    )
    assert ask("apply", id="a")["changed"] == ["/hello"]
    put("b", GOOD.replace(SITE, f"log_dir /l; {SITE}"))
    assert ask("apply", id="b")["changed"] == ["/hello"]
    assert ask("apply", id="b")["changed"] == []
    assert ask("rollback", id="a")["changed"] == ["/hello"]
    assert ask("clear")["changed"] == ["/hello", "/other"]


# Uploads


class Uploads:
    """Uploads a file as people do, and delivers the events when a test says so."""

    def __init__(self) -> None:
        self.number = 0

    def event(self, text: str, at: float) -> dict[str, Any]:
        self.number += 1
        answer = clients.client("s3").put_object(Bucket=BUCKET, Key=UPLOAD, Body=text.encode())
        found = {
            "key": UPLOAD,
            "etag": answer["ETag"].strip('"'),
            "sequencer": f"{self.number:04X}",
        }
        return {
            "time": datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "detail": {"bucket": {"name": BUCKET}, "object": found, "requester": "123456789012"},
        }


@pytest.fixture
def upload() -> Uploads:
    return Uploads()


def deliver(event: dict[str, Any]) -> None:
    uploads.on_upload(event, BUCKET, lambda: NOW)


def told() -> dict[str, Any]:
    answer = clients.client("s3").get_object(Bucket=BUCKET, Key=OUTCOME)
    result: dict[str, Any] = json.loads(answer["Body"].read())
    return result


def test_an_upload_is_applied_and_its_outcome_lies_beside_it(upload: Uploads) -> None:
    clients.client("s3").put_object(
        Bucket=BUCKET, Key="config/files/etc/pages/error.html", Body=b"<p>sorry</p>"
    )
    deliver(upload.event(f"template_dir /etc/pages;\n{GOOD}", NOW))
    assert told()["change"] == "applied"
    assert told()["by"] == "an upload by 123456789012"
    applied = contents.fetch(BUCKET, told()["configuration"])
    assert holds() == applied.id
    assert applied.templates == {"/etc/pages": {"error": "<p>sorry</p>"}}


def test_a_broken_upload_changes_nothing_and_says_why(upload: Uploads) -> None:
    deliver(upload.event(GOOD, NOW))
    good = holds()
    deliver(upload.event(BROKEN, NOW + 1))
    assert holds() == good
    assert told()["change"] == "refused"
    place = f"s3://{BUCKET}/config/shiny-server.conf"
    assert told()["errors"][0].startswith(f"{place}:2:3: ")
    deliver(upload.event(" " * 5_000_000, NOW + 2))
    assert holds() == good
    assert "more than 4,000,000 bytes" in told()["summary"]


def test_a_repeated_event_changes_nothing(upload: Uploads) -> None:
    event = upload.event(GOOD, NOW)
    deliver(event)
    put("a")
    ask("apply", id="a")
    deliver(event)
    assert holds() == "a"
    assert len(store.history()) == 2
    assert told()["change"] == "applied"


def test_a_late_event_does_not_undo_a_newer_upload(upload: Uploads) -> None:
    first = upload.event(GOOD, NOW)
    second = upload.event(f"{GOOD} # 2", NOW)
    deliver(second)
    deliver(first)
    deliver(second)
    [row] = store.history()
    assert contents.fetch(BUCKET, str(holds())).text == f"{GOOD} # 2"
    assert told()["configuration"] == row.configuration


def test_an_event_in_order_whose_object_was_overwritten_leaves_it_to_the_next(
    upload: Uploads,
) -> None:
    first, second = upload.event(GOOD, NOW), upload.event(f"{GOOD} # 2", NOW + 1)
    deliver(first)
    assert holds() is None
    deliver(second)
    assert contents.fetch(BUCKET, str(holds())).text == f"{GOOD} # 2"


def test_a_late_event_does_not_undo_a_newer_command(upload: Uploads) -> None:
    event = upload.event(GOOD, NOW - 5)
    put("a")
    ask("apply", id="a")
    deliver(event)
    assert holds() == "a"
    assert told()["change"] == "refused"
    assert "upload it again" in told()["summary"]
    deliver(event)
    assert len(store.history()) == 2


def test_other_objects_and_buckets_are_nothing_to_it(upload: Uploads) -> None:
    event = upload.event(GOOD, NOW)
    event["detail"]["bucket"]["name"] = "other"
    deliver(event)
    event = upload.event(GOOD, NOW)
    event["detail"]["object"]["key"] = "config/shiny-server.conf.outcome.json"
    deliver(event)
    assert store.history() == []


@settings(max_examples=amount(200, least=20))
@given(order=st.lists(st.integers(0, 3), max_size=40), late=st.booleans())
def test_uploads_and_a_command_at_once_end_in_an_order(order: list[int], late: bool) -> None:
    turns = Interleaving()
    with direct_dynamodb(turns.before):
        empty_tables()
        put("a")
        source = Uploads()
        older = source.event(BROKEN, NOW - 9)
        newer = source.event(GOOD, NOW - 9 if late else NOW + 9)
        turns.run(
            order,
            lambda: deliver(newer),
            lambda: deliver(older),
            lambda: ask("apply", id="a"),
            lambda: deliver(newer),
        )
        newest = store.history()
        assert len(newest) == 2
        applied = [row.configuration for row in newest if row.change == Change.APPLIED]
        assert holds() == applied[0]
        assert "a" in applied
        [of_upload] = [row for row in newest if row.configuration != "a"]
        assert told()["configuration"] == of_upload.configuration
        if not late:
            assert of_upload.change == Change.APPLIED


def test_no_password_is_logged_or_lies_beside_the_file(
    upload: Uploads, caplog: pytest.LogCaptureFixture
) -> None:
    clients.client("s3").put_object(
        Bucket=BUCKET, Key="config/files/etc/shiny-server/passwd", Body=b"ann:$scrypt$secret"
    )
    deliver(upload.event(f"auth_passwd_file /etc/shiny-server/passwd;\n{GOOD}", NOW))
    applied = str(holds())
    [key] = objects(PASSWORDS)
    assert key == passwords_key(applied)
    stored = clients.client("s3").get_object(Bucket=BUCKET, Key=applied_key(applied))["Body"].read()
    rows = "".join(str(row.serialize()) for row in ConfigurationRow.scan())
    said = "".join(str(vars(record)) for record in caplog.records)
    assert "an upload by" in said
    for text in (stored.decode(), rows, json.dumps(told()), said):
        assert "scrypt" not in text
