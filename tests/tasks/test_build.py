"""Building a version: all of it is there, or nothing; and the author is told."""

import json
import os
import stat
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import boto3
import pytest
from botocore.exceptions import ClientError

from chalicelib import layout
from chalicelib.apps import store as apps
from chalicelib.apps.model import App
from chalicelib.aws import clients
from chalicelib.publishing import store
from chalicelib.publishing.keys import log_key
from tasks import build
from tasks.packages import image
from tests.chalicelib.aws_in_process import BUCKET, ENVIRONMENT, aws_in_process, empty_tables
from tests.support import toy_kind
from tests.support.archives import bundle, make_zip
from tests.tasks.told import States

KEY = "bundles/hello/app.zip"
R = image.look().r_version


@pytest.fixture(scope="module")
def services() -> Iterator[Counter[str]]:
    with aws_in_process() as calls:
        yield calls


@pytest.fixture
def states(services: Counter[str], monkeypatch: pytest.MonkeyPatch) -> States:
    empty_tables()
    apps.ensure("/hello", 1.0).update(actions=[App.app_id.set("0123456789ab")])
    return States.instead(monkeypatch)


def uploaded(data: bytes) -> str:
    store.receive(KEY, "01", "etag", "/hello", "v1", 1.0)
    return str(boto3.client("s3").put_object(Bucket=BUCKET, Key=KEY, Body=data)["ETag"]).strip('"')


def run(efs: Path, etag: str, **more: str) -> int:
    return build.main(
        {
            **ENVIRONMENT,
            "SHEEN_EFS": str(efs),
            "SHEEN_BUNDLE_KEY": KEY,
            "SHEEN_BUNDLE_ETAG": etag,
            "SHEEN_BUNDLE_SEQUENCER": "01",
            "SHEEN_VERSION": "v1",
            "SHEEN_APP_ID": "0123456789ab",
            "SHEEN_UNIX_ID": "234567",
            "SHEEN_TASK_TOKEN": "token",
            **more,
        }
    )


def left_in(efs: Path) -> set[str]:
    return {str(path.relative_to(efs)) for path in efs.rglob("*") if path.is_file()}


def test_a_bundle_becomes_a_version_that_only_its_app_can_read(
    states: States, tmp_path: Path
) -> None:
    data = bundle({"hello/app.R": b"1", "hello/www/x.png": b"2"})
    etag = uploaded(data)
    assert run(tmp_path, etag) == 0
    version = tmp_path / "apps/0123456789ab/v1"
    assert (version / "app.R").read_bytes() == b"1"
    assert left_in(tmp_path) == {"apps/0123456789ab/v1/app.R", "apps/0123456789ab/v1/www/x.png"}
    for path in (version, version / "www", version.parent):
        assert stat.S_IMODE(path.stat().st_mode) == 0o750
    assert stat.S_IMODE((version / "app.R").stat().st_mode) == 0o640
    if os.geteuid() == 0:
        assert {
            (path.stat().st_uid, path.stat().st_gid)
            for path in (version, version / "app.R", version.parent)
        } == {(0, 234567)}
    kept = "versions/0123456789ab/v1/app.zip"
    built = {"kind": "shiny-r", "entrypoint": "", "source": kept, "settings": {}}
    assert states.told == [
        ("send_task_success", {"taskToken": "token", "output": json.dumps(built)})
    ]
    assert boto3.client("s3").get_object(Bucket=BUCKET, Key=kept)["Body"].read() == data
    row = store.find(KEY)
    assert row is not None
    assert row.message == "Activating."


def test_a_version_has_its_files_execute_bits_and_times(states: States, tmp_path: Path) -> None:
    files = [("app.R", b"1"), ("tool.sh", b"#!/bin/sh\necho it runs\n")]
    modes = {"tool.sh": stat.S_IFREG | 0o6777}
    assert (
        run(
            tmp_path,
            uploaded(make_zip(files, modes, {"app.R": 1_200_000_000, "tool.sh": 1_300_000_000})),
        )
        == 0
    )
    version = tmp_path / "apps/0123456789ab/v1"
    assert stat.S_IMODE((version / "tool.sh").stat().st_mode) == 0o750
    assert stat.S_IMODE((version / "app.R").stat().st_mode) == 0o640
    assert [(version / name).stat().st_mtime for name, _ in files] == [1_200_000_000, 1_300_000_000]


def test_building_twice_changes_nothing(states: States, tmp_path: Path) -> None:
    etag = uploaded(bundle({"app.R": b"1"}))
    run(tmp_path, etag)
    before = (tmp_path / "apps/0123456789ab/v1").stat().st_ino
    run(tmp_path, etag)
    assert (tmp_path / "apps/0123456789ab/v1").stat().st_ino == before
    assert [name for name, _ in states.told] == ["send_task_success"] * 2
    assert list(layout.builds(tmp_path).iterdir()) == []


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (bundle({"readme.md": b"x"}), "bundle app.zip: no app is in it"),
        (
            bundle({"app.R": b"x", "../evil": b"x"}),
            'bundle app.zip: path "../evil" leaves the bundle (entry 2)',
        ),
        (b"this is no archive", "bundle app.zip: it is neither a zip nor a tar.gz file"),
    ],
)
def test_a_bad_bundle_leaves_nothing_behind_and_its_author_is_told(
    states: States, data: bytes, why: str, tmp_path: Path
) -> None:
    assert run(tmp_path, uploaded(data)) == 0
    assert left_in(tmp_path) == set()
    assert [path.name for path in (tmp_path / "apps").glob("[!.]*")] == []
    ((name, told),) = states.told
    assert (name, told["error"]) == ("send_task_failure", "BadBundle")
    assert told["cause"].startswith(why)


def test_an_upload_that_was_replaced_is_not_built_as_if_it_were_the_old_one(
    states: States, tmp_path: Path
) -> None:
    etag = uploaded(bundle({"app.R": b"1"}))
    uploaded(bundle({"app.R": b"2"}))
    run(tmp_path, etag)
    assert left_in(tmp_path) == set()
    assert "another upload took its place" in states.told[0][1]["cause"]


@pytest.mark.parametrize("code", ["NoSuchKey", "AccessDenied"])
def test_an_upload_that_was_deleted_is_told(
    states: States, tmp_path: Path, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    etag = uploaded(bundle({"app.R": b"1"}))
    boto3.client("s3").delete_object(Bucket=BUCKET, Key=KEY)
    if code == "AccessDenied":  # as S3 has it for a task that may not list the bucket
        refusal = ClientError({"Error": {"Code": code}}, "GetObject")
        monkeypatch.setattr(clients.client("s3"), "get_object", Mock(side_effect=refusal))
    run(tmp_path, etag)
    assert states.told[0][1]["error"] == "BadBundle"
    assert "was deleted before it was unpacked" in states.told[0][1]["cause"]


def test_a_bundle_of_an_app_that_was_deleted_meanwhile_is_not_built(
    states: States, tmp_path: Path
) -> None:
    etag = uploaded(bundle({"app.R": b"1"}))
    for _ in range(2):  # also when another one is there now
        App("/hello").delete()
        run(tmp_path, etag)
        assert states.told[-1][1]["error"] == "BadBundle"
        assert "the app at /hello was deleted while it was published" in states.told[-1][1]["cause"]
        assert left_in(tmp_path) == set()
        apps.ensure("/hello", 2.0)


def test_what_is_not_the_bundles_fault_is_reported_as_that(states: States, tmp_path: Path) -> None:
    etag = uploaded(bundle({"app.R": b"1"}))
    (tmp_path / "apps").write_text("in the way")
    assert run(tmp_path, etag) == 1
    assert states.told[0][1]["error"] == "NotADirectoryError"
    assert left_in(tmp_path) == {"apps"}


def test_the_settings_of_a_bundle_are_reported(states: States, tmp_path: Path) -> None:
    etag = uploaded(
        bundle(
            {"x/app.R": b"1", "x/sheen.toml": b'size = "small"\nr_version = "' + R.encode() + b'"'}
        )
    )
    run(tmp_path, etag)
    assert json.loads(states.told[0][1]["output"])["settings"] == {"size": "small", "r_version": R}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"reconnect off;", None),
        (b"app_idle_timeout 5s;", ".shiny_app.conf:1:18: timeout of app_idle_timeout"),
    ],
)
def test_the_file_of_an_apps_own_directives_stays_with_the_version(
    states: States, tmp_path: Path, text: bytes, said: str | None
) -> None:
    run(tmp_path, uploaded(bundle({"x/app.R": b"1", "x/.shiny_app.conf": text})))
    log = boto3.client("s3").get_object(Bucket=BUCKET, Key=log_key(KEY))["Body"].read().decode()
    assert said in log if said is not None else "conf" not in log
    assert json.loads(states.told[0][1]["output"])["settings"] == {".shiny_app.conf": text.decode()}


@pytest.mark.parametrize(
    ("toml", "own", "why"),
    [
        (b"size = 'huge'", {}, "bundle app.zip: sheen.toml: setting size is 'huge'; it is one of small"),  # noqa: E501
        (b"r_version = '2.15'", {}, ("bundle app.zip: its r_version is 2.15, and the image has R {r}; change the "  # noqa: E501
"setting, or the image")),
        (b"", {"r_version": "2.15"}, ("bundle app.zip: its r_version is 2.15, and the image has R {r}; change the "  # noqa: E501
"setting, or the image")),
        (b"start_count = 3\nmax_instances = 3", {"max_instances": 2}, "bundle app.zip: sheen.toml and the app's own settings do not go"),  # noqa: E501
        (b"[" * 50_000, {}, "bundle app.zip: sheen.toml: line 1 nests more than 16 levels"),
        (b"max_instances = 100", {}, "bundle app.zip: setting max_instances is 100; this deployment allows 5 at most"),  # noqa: E501
        (b"[secrets]\nX = 'other/db'", {}, ("bundle app.zip: setting secrets: the secret \"other/db\" (for X) is not for the "  # noqa: E501
"app at /hello")),
        (b"#" * 70_000, {}, "bundle app.zip: sheen.toml has more than 65,536 bytes (entry 2)"),
    ],
)  # fmt: skip
def test_bad_settings_are_refused_before_anything_is_written(
    states: States, toml: bytes, own: dict[str, object], why: str, tmp_path: Path
) -> None:
    apps.ensure("/hello", 1.0).update(actions=[App.settings.set(own)])
    run(
        tmp_path,
        uploaded(bundle({"app.R": b"1", "sheen.toml": toml})),
        SHEEN_MOST_INSTANCES_PER_APP="5",
    )
    assert states.told[0][1]["error"] == "BadBundle"
    assert states.told[0][1]["cause"].startswith(why.replace("{r}", R))
    assert left_in(tmp_path) == set()


def test_how_far_it_is_can_be_seen_in_s3(
    states: States, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    real = store.tell

    def tell(*told: Any) -> bool:
        done = real(*told)
        body = (
            boto3.client("s3")
            .get_object(Bucket=BUCKET, Key="outcomes/hello/app.zip.json")["Body"]
            .read()
        )
        seen.append(json.loads(body)["message"])
        return done

    monkeypatch.setattr(store, "tell", tell)
    run(tmp_path, uploaded(bundle({"app.R": b"1"})))
    assert seen == [
        "Downloading the bundle.",
        "Checking the bundle.",
        "Unpacking 1 files.",
        "Unpacked 1 files.",
        "Activating.",
    ]


def test_a_new_kind_is_built_without_a_change_elsewhere(
    states: States, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    toy_kind.use(monkeypatch)
    assert run(tmp_path, uploaded(bundle({"toy.txt": b"a word"}))) == 0
    ((said, told),) = states.told
    assert said == "send_task_success"
    built = json.loads(told["output"])
    assert (built["kind"], built["entrypoint"]) == ("toy", "a word")
    assert left_in(tmp_path) == {"apps/0123456789ab/v1/toy.txt"}
