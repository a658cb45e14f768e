"""Publishing: what an upload becomes, and that a bad one changes nothing and says why."""

import io
import json
import re
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest

from tests.support.apps import app
from tests.support.publishing import outcome, upload
from tests.support.stack import StackProcess
from tests.support.waiting import until

pytestmark = pytest.mark.stack


def tar_of(folder: Path) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        archive.add(folder, ".")
    return packed.getvalue()


def test_the_command_prints_the_url_and_the_app_sleeps(stack: StackProcess, tmp_path: Path) -> None:
    result = stack.sheen("publish", str(app(tmp_path / "echo")), "--at", "/team/echo")
    assert result.stdout.strip() == f"{stack.environment()['SHEEN_URL']}/team/echo/"
    assert "upload" in result.stderr
    line = next(line for line in stack.sheen("apps").stdout.splitlines() if "/team/echo" in line)
    assert "sleeping" in line


def test_awscli_publishes_with_what_sheen_env_exports(stack: StackProcess, tmp_path: Path) -> None:
    bundle = tmp_path / "echo.tar.gz"
    bundle.write_bytes(tar_of(app(tmp_path / "echo")))
    aws = Path(sys.executable).parent / "aws"
    script = (
        f'eval "$({sys.executable} -m sheen env)" && {aws} s3 cp {bundle} '
        "s3://$SHEEN_BUCKET/bundles/by-aws/echo.tar.gz"
    )
    subprocess.run(
        ["bash", "-ec", script],
        env=stack.own_environment,
        check=True,
        timeout=120,
        capture_output=True,
    )
    found = until(lambda: outcome(stack, "bundles/by-aws/echo.tar.gz"), 60)
    assert found and found["status"] == "active"
    assert stack.get("/by-aws/", {"accept": "text/html"}).status == 202


def test_a_file_that_is_no_archive_is_rejected_and_the_app_stays(
    stack: StackProcess, tmp_path: Path
) -> None:
    stack.publish(app(tmp_path / "echo"), "/kept")
    before = stack.sheen("apps").stdout
    found = upload(stack, "bundles/kept/bad.zip", b"this is no archive")
    assert found["status"] == "rejected"
    assert "bad.zip" in found["message"]
    assert (
        next(line for line in before.splitlines() if "/kept" in line) in stack.sheen("apps").stdout
    )


def test_a_bundle_without_an_app_says_what_an_app_needs(
    stack: StackProcess, tmp_path: Path
) -> None:
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "readme.md").write_text("no app here")
    result = stack.sheen("publish", str(tmp_path / "notes"), "--at", "/notes", check=False)
    assert result.returncode == 1
    assert "app.R" in result.stderr
    assert stack.get("/notes/", {"accept": "text/html"}).status == 404


def test_what_cannot_work_is_told_at_publish_with_rs_words_and_the_version_before_stays(
    stack: StackProcess, tmp_path: Path
) -> None:
    folder = app(tmp_path / "tried")
    stack.publish(folder, "/tried")
    before = stack.sheen("versions", "/tried").stdout
    good = (folder / "app.R").read_text()
    (folder / "app.R").write_text(f"library(nothere)\n{good}")
    result = stack.sheen("publish", str(folder), "--at", "/tried", check=False)
    assert result.returncode == 1
    assert re.search(
        r"app\.R:1: there is no package called .nothere.*check = false in its sheen\.toml",
        result.stderr,
        re.DOTALL,
    )
    assert stack.sheen("versions", "/tried").stdout == before
    (folder / "app.R").write_text(f"f <- function() nothere::g()\n{good}")
    (folder / "secret.csv").write_text("secret")
    (folder / ".rscignore").write_text("secret.csv\n")
    told = stack.sheen("publish", str(folder), "--at", "/tried").stderr
    assert (
        re.search("note: app.R:1: there is no package called", told)
        and "left out: secret.csv (.rscignore)" in told
    )


def test_a_path_out_of_the_bundle_is_refused_by_name(stack: StackProcess) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        entry = tarfile.TarInfo("../../etc/evil")
        entry.size = 4
        archive.addfile(entry, io.BytesIO(b"evil"))
    found = upload(stack, "bundles/evil/evil.tar.gz", packed.getvalue())
    assert found["status"] == "rejected"
    assert "../../etc/evil" in found["message"]


@pytest.mark.parametrize("location", ["/a//b", "/..", "/__sheen__/x", "/sp ace?"])
def test_a_bad_location_is_refused_before_anything_is_uploaded(
    location: str, stack: StackProcess, tmp_path: Path
) -> None:
    result = stack.sheen("publish", str(app(tmp_path / "echo")), "--at", location, check=False)
    assert result.returncode == 2
    assert location in result.stderr
    assert "uploading" not in result.stderr


def test_a_bad_setting_is_refused_with_its_rule(stack: StackProcess, tmp_path: Path) -> None:
    stack.publish(app(tmp_path / "echo"), "/set")
    result = stack.sheen("configure", "/set", "app_init_timeout=soon", check=False)
    assert result.returncode == 2
    assert "app_init_timeout" in result.stderr
    result = stack.sheen("configure", "/set", "no_such_setting=1", check=False)
    assert "no_such_setting" in result.stderr
    assert "60" in next(
        line
        for line in stack.sheen("configure", "/set").stdout.splitlines()
        if "app_init_timeout" in line
    )


def test_settings_are_changed_and_shown_by_whoever_may_invoke_the_function(
    stack: StackProcess, tmp_path: Path
) -> None:
    stack.publish(app(tmp_path / "echo"), "/by-api")
    changes = {"app_idle_timeout": 60, "preload": False, "environment.LEVEL": "2", "size": None}
    answer = invoke(stack, {"location": "/by-api", "settings": changes})
    settings = json.loads(answer["Payload"].read())["settings"]
    assert (settings["app_idle_timeout"], settings["preload"], settings["environment"]) == (
        60,
        False,
        {"LEVEL": "2"},
    )
    shown = stack.sheen("configure", "/by-api").stdout
    assert ["app_idle_timeout", "60", "app", "(sheen", "configure)"] in [
        line.split() for line in shown.splitlines()
    ]
    answer = invoke(
        stack,
        {"location": "/by-api", "settings": {"app_idle_timeout": 7, "simple_scheduler": 5000}},
    )
    assert answer["FunctionError"]
    error = json.loads(answer["Payload"].read())
    assert error["errorType"] == "BadAppSetting"
    assert error["errorMessage"] == (
        "setting simple_scheduler is 5000; it is a whole number from 1 to 1000, as in "
        "simple_scheduler=100"
    )
    assert (
        json.loads(invoke(stack, {"location": "/by-api"})["Payload"].read())["settings"] == settings
    )


def invoke(stack: StackProcess, event: object) -> dict[str, Any]:
    function = stack.environment()["SHEEN_TABLE_PREFIX"] + "app_configure"
    answer: dict[str, Any] = stack.client("lambda").invoke(
        FunctionName=function, Payload=json.dumps(event).encode()
    )
    return answer
