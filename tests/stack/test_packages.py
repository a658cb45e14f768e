"""An app's own R packages, from the bundle's lock file to what a visitor sees."""

import html
import json
from pathlib import Path

import pytest

from tests.support.apps import app
from tests.support.cran import renv_lock
from tests.support.stack import StackProcess

pytestmark = pytest.mark.stack

POLITE = """
library(shiny)
shinyApp(
  fluidPage(tags$b(polite::bow()), tags$i(paste(Sys.getenv("RENV_CONFIG_AUTOLOADER_ENABLED"), .libPaths()[[1]]))),
  function(input, output) {}
)
"""  # noqa: E501


def build_logs(stack: StackProcess, location: str) -> list[str]:
    """The build logs of an app's uploads, the newest last."""
    s3, bucket = stack.client("s3"), stack.environment()["SHEEN_BUCKET"]
    found = s3.list_objects_v2(Bucket=bucket, Prefix=f"outcomes{location}/").get("Contents", [])
    keys = [
        each["Key"]
        for each in sorted(found, key=lambda each: each["LastModified"])
        if each["Key"].endswith(".log")
    ]
    return [s3.get_object(Bucket=bucket, Key=key)["Body"].read().decode() for key in keys]


def test_a_visitor_sees_what_the_restored_packages_do_and_a_broken_build_leaves_them(
    stack: StackProcess, tmp_path: Path
) -> None:
    folder = app(tmp_path / "polite", POLITE)
    lock = folder / "renv.lock"
    lock.write_text(json.dumps(renv_lock(("polite", "0.3-1"), ("greeting", "1.0"))))
    told = stack.sheen("publish", str(folder), "--at", "/polite").stderr
    assert "/polite: Installing packages: " in told
    (log,) = build_logs(stack, "/polite")
    assert "greeting 1.0| * DONE (greeting)" in log
    stack.wake("/polite/")
    page = stack.get("/polite/", {"accept": "text/html"}).text
    assert "<b>polite greeting 1.0</b>" in page
    assert ".library</i>" in page
    assert "<i>FALSE " in page

    lock.write_text(
        json.dumps(renv_lock(("polite", "0.3-1"), ("greeting", "1.0"), ("broken", "1.0")))
    )
    failed = stack.sheen("publish", str(folder), "--at", "/polite", check=False)
    assert failed.returncode == 1
    assert 'package "broken" 1.0 was not installed' in failed.stderr
    assert "the library that this needs is not here" in failed.stderr
    assert "the build failed: " in build_logs(stack, "/polite")[-1]
    assert "<b>polite greeting 1.0</b>" in html.unescape(
        stack.get("/polite/", {"accept": "text/html"}).text
    )


def test_the_setting_of_the_app_says_whether_the_images_packages_will_do(
    stack: StackProcess, tmp_path: Path
) -> None:
    folder = app(tmp_path / "mismatch")
    stack.publish(folder, "/mismatch")
    (folder / "renv.lock").write_text(json.dumps(renv_lock(("R6", "2.0.9"))))
    failed = stack.sheen("publish", str(folder), "--at", "/mismatch", check=False)
    assert 'package "R6" 2.0.9 cannot be had, the image has ' in failed.stderr
    assert "package_mismatch=with-installed" in failed.stderr
    stack.sheen("configure", "/mismatch", "package_mismatch=with-installed")
    assert "instead of 2.0.9" in stack.sheen("publish", str(folder), "--at", "/mismatch").stderr
