"""The command's side of versions: what it lists, fetches and publishes again."""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest

from chalicelib.apps import store, versions
from chalicelib.apps.errors import NoSuchApp, NoSuchVersion
from chalicelib.apps.model import App, Version
from chalicelib.configuration.deployment import Settings
from chalicelib.publishing.keys import BundleKey, again_key, original_name
from sheen import versions as command
from tests.chalicelib.aws_in_process import BUCKET, aws_in_process, empty_tables


@pytest.fixture(scope="module")
def services() -> Iterator[Counter[str]]:
    with aws_in_process() as calls:
        yield calls


@pytest.fixture
def app(services: Counter[str]) -> App:
    """An app with two versions, of which the newer one is active."""
    empty_tables()
    made = store.ensure("/hello", 1.0)
    for number, order in (("1", "a"), ("2", "b")):
        name, source = f"2026112{number}T133144Z-00000000", f"versions/x/{number}/hello.zip"
        versions.add(
            made.app_id,
            name,
            bundle=f"bundles/hello/hello{number}.zip",
            kind="app.R",
            source=source,
            settings={},
            now=float(number),
        )
        versions.activate("/hello", name, order, 2.0)
        boto3.client("s3").put_object(Bucket=BUCKET, Key=source, Body=b"bundle " + number.encode())
    return App.get("/hello")


@pytest.fixture
def settings(services: Counter[str]) -> Settings:
    return Settings.from_environment()


def test_versions_are_listed_with_what_they_are(
    app: App, capsys: pytest.CaptureFixture[str]
) -> None:
    Version(
        app.app_id,
        "20261120T133144Z-00000000",
        bundle="bundles/hello/again-20261120T000000Z-old.zip",
        kind="app.R",
        published_at=0,
        removing_at=9,
    ).save()
    command.show_versions("/hello")
    assert [re.split(r"  +", line) for line in capsys.readouterr().out.splitlines()][1:] == [
        ["20261122T133144Z-00000000", "active", "1970-01-01 00:00:02Z", "hello2.zip"],
        ["20261121T133144Z-00000000", "previous", "1970-01-01 00:00:01Z", "hello1.zip"],
        ["20261120T133144Z-00000000", "is being removed", "1970-01-01 00:00:00Z", "old.zip"],
    ]


def test_a_bundle_is_fetched_as_it_was_uploaded(
    app: App, settings: Settings, tmp_path: Path
) -> None:
    assert command.download(settings, "/hello", None, tmp_path) == tmp_path / "hello2.zip"
    assert (tmp_path / "hello2.zip").read_bytes() == b"bundle 2"
    assert (
        command.download(
            settings, "/hello", "20261121T133144Z-00000000", tmp_path / "x"
        ).read_bytes()
        == b"bundle 1"
    )
    with pytest.raises(
        command.NotDownloaded, match="x is there already; name another file with -o"
    ):
        command.download(settings, "/hello", None, tmp_path / "x")
    with pytest.raises(
        command.NotDownloaded,
        match=r"there is no folder .*missing/dir; make it, or name another file with -o",
    ):
        command.download(settings, "/hello", None, tmp_path / "missing" / "dir" / "x.zip")
    with pytest.raises(
        NoSuchVersion,
        match="there is no bundle of v9; `sheen versions /hello` lists the versions of /hello",
    ):
        command.download(settings, "/hello", "v9", None)
    with pytest.raises(NoSuchApp, match="no app at /nowhere"):
        command.download(settings, "/nowhere", None, None)


def test_going_back_holds_also_when_nobody_can_be_told(
    app: App, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []

    def fails(*_: object) -> bytes:
        raise NoSuchApp("no function")

    monkeypatch.setattr(command, "call", fails)
    assert command.rollback(settings, "/hello", None, said.append) == "20261121T133144Z-00000000"
    assert App.get("/hello").active_version == "20261121T133144Z-00000000"
    assert said == [
        (
            "/hello: instances of the version before were not told to go (no function); they "
            "go when they are idle"
        )
    ]


def test_a_bundle_that_is_published_again_keeps_its_name() -> None:
    key = again_key("/hello", "app.zip", "2026-11-20T13:31:44Z")
    assert key == "bundles/hello/again-20261120T133144Z-app.zip"
    assert (
        original_name(again_key("/hello", original_name(key), "2026-11-21T13:31:44Z")) == "app.zip"
    )
    long = "x" * 93 + ".tar.gz"
    assert BundleKey.parse(again_key("/", long, "2026-11-20T13:31:44Z")).name.endswith("xx.tar.gz")
