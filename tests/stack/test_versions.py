"""Versions by the command: list, go back, build anew, fetch; a bundle's settings go with it;
nothing else is lost.
"""

import asyncio
import zipfile
from pathlib import Path

import pytest

from tests.support.apps import app
from tests.support.stack import StackProcess
from tests.support.visitor import Visitor
from tests.support.waiting import until

pytestmark = pytest.mark.stack


def rows(stack: StackProcess, location: str) -> list[list[str]]:
    """What ``sheen versions`` lists, the newest first, without its head."""
    return [line.split() for line in stack.sheen("versions", location).stdout.splitlines()[1:]]


def active(stack: StackProcess, location: str) -> str:
    return next(row[0] for row in rows(stack, location) if row[1] == "active")


def setting(stack: StackProcess, location: str, name: str) -> list[str]:
    return next(
        line
        for line in stack.sheen("configure", location).stdout.splitlines()
        if line.startswith(f"{name} ")
    ).split()


def test_going_back_is_one_step_and_brings_the_settings_along(
    stack: StackProcess, tmp_path: Path
) -> None:
    folder = app(tmp_path / "many")
    (folder / "sheen.toml").write_text('size = "small"\n[environment]\nLEVEL = "1"\n')
    stack.sheen("publish", str(folder))
    (folder / "sheen.toml").write_text('size = "medium"\n')
    stack.sheen("publish", str(folder))
    newest, oldest = (row[0] for row in rows(stack, "/many"))
    assert [row[1] for row in rows(stack, "/many")] == ["active", "previous"]
    assert setting(stack, "/many", "size") == ["size", "medium", "bundle", "(sheen.toml)"]
    assert stack.sheen("rollback", "/many").stdout.strip() == oldest
    assert setting(stack, "/many", "size") == ["size", "small", "bundle", "(sheen.toml)"]
    assert setting(stack, "/many", "environment.LEVEL")[1:] == ["1", "bundle", "(sheen.toml)"]
    stack.sheen("configure", "/many", "environment.TZ=UTC", "size=large")
    assert stack.sheen("rollback", "/many", newest).stdout.strip() == newest
    assert setting(stack, "/many", "size") == ["size", "large", "app", "(sheen", "configure)"]
    assert setting(stack, "/many", "environment.TZ")[1:3] == ["UTC", "app"]
    refused = stack.sheen("rollback", "/many", "20200101T000000Z-00000000", check=False)
    assert refused.returncode == 3
    assert "is none of its versions" in refused.stderr


def test_a_version_is_built_anew_without_an_upload_and_given_back_as_it_was_uploaded(
    stack: StackProcess, tmp_path: Path
) -> None:
    bundle = tmp_path / "Mine (2).zip"
    with zipfile.ZipFile(bundle, "w") as archive:
        archive.write(app(tmp_path / "mine") / "app.R", "mine/app.R")
    stack.sheen("publish", str(bundle), "--at", "/again")
    before = active(stack, "/again")
    stack.sheen("redeploy", "/again")
    assert active(stack, "/again") != before
    assert [row[1] for row in rows(stack, "/again")] == ["active", "previous"]
    for version in ([], [before]):
        target = tmp_path / f"got{len(version)}.zip"
        stack.sheen("download", "/again", *version, "-o", str(target))
        assert target.read_bytes() == bundle.read_bytes()
    assert (
        "is there already"
        in stack.sheen("download", "/again", "-o", str(target), check=False).stderr
    )


def test_old_versions_go_with_their_files(stack: StackProcess, tmp_path: Path) -> None:
    folder = app(tmp_path / "short")
    stack.publish(folder, "/short", versions_kept=2)
    for number in range(2):
        (folder / "notes.txt").write_text(str(number))
        stack.sheen("publish", str(folder), "--at", "/short")
    until(lambda: len(rows(stack, "/short")) == 2, 60, "the oldest version to be removed")
    kept = {row[0] for row in rows(stack, "/short")}
    files = {path.parent.name for path in (stack.data / "efs" / "apps").glob("*/*/notes.txt")}
    assert files >= kept
    assert not [
        path
        for path in (stack.data / "efs" / "apps").glob(f"{app_id(stack, '/short')}/*")
        if path.name not in kept
    ]


def app_id(stack: StackProcess, location: str) -> str:
    table = stack.environment()["SHEEN_TABLE_PREFIX"] + "apps"
    item = stack.client("dynamodb").get_item(TableName=table, Key={"location": {"S": location}})[
        "Item"
    ]
    return str(item["app_id"]["S"])


def test_a_bad_sheen_toml_is_refused_and_the_app_stays(stack: StackProcess, tmp_path: Path) -> None:
    folder = app(tmp_path / "toml")
    stack.sheen("publish", str(folder))
    before = active(stack, "/toml")
    (folder / "sheen.toml").write_text("app_idle_timeout = -1\n")
    result = stack.sheen("publish", str(folder), check=False)
    assert result.returncode == 1
    assert (
        "sheen.toml: setting app_idle_timeout is -1; it is a number of seconds from 0 to"
        in result.stderr
    )
    assert active(stack, "/toml") == before


def living(stack: StackProcess, location: str) -> dict[str, str]:
    """The versions of which an instance lives, and in which state."""
    there = [
        row
        for row in stack.instances()
        if row["location"] == location and row["state"] != "STOPPED"
    ]
    return {str(row["version_id"]).partition(".")[2]: str(row["state"]) for row in there}


async def test_sessions_stay_on_their_version_and_its_instance_goes_with_the_last_of_them(
    stack: StackProcess, tmp_path: Path
) -> None:
    folder = app(tmp_path / "drained")
    # Without being told, it would stay for long after its last session.
    stack.publish(folder, "/drained", instance_idle_timeout=3600, reconnect_grace=1)
    stack.wake("/drained/")
    old = active(stack, "/drained")
    async with Visitor(f"{stack.url}/drained/") as visitor:
        await visitor.say("before")
        (folder / "new.txt").write_text("new")
        await asyncio.to_thread(stack.publish, folder, "/drained")
        new = active(stack, "/drained")
        await asyncio.to_thread(stack.wake, "/drained/")
        assert await visitor.say("after") == "heard: after"
        assert living(stack, "/drained") == {old: "READY", new: "READY"}
    await asyncio.to_thread(
        until, lambda: old not in living(stack, "/drained"), 90, "the old version's instance to go"
    )
    assert living(stack, "/drained") == {new: "READY"}
    stack.sheen("rollback", "/drained")
    await asyncio.to_thread(
        until,
        lambda: not living(stack, "/drained"),
        90,
        "the instance of the version that was left to go",
    )
