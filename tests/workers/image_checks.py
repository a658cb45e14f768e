"""What is asked of an image, however it was made: the agent serves apps from it, as the local stack
runs tasks there. The module that takes these tests has a fixture ``image``.
"""

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from infra.declared.tasks import HEALTH, TASK_DEFINITIONS
from infra.emulator.ecs.definition import TaskMount
from infra.local.image import BuiltImage
from tests.support.apps import PYTHON_ECHO, app
from tests.support.stack import TREE, StackProcess, free_port
from tests.support.waiting import until

MOST_MB = 850
"""What the image may have unpacked; docs/operator.md states what it has."""
START = 60_000
AGENT_MOUNTS = [
    TaskMount(*mount)
    for mount in next(task.mounts for task in TASK_DEFINITIONS if task.container == "agent")
]


class ImageStack(StackProcess):
    """A local stack whose tasks run in an image."""

    image: Path

    @property
    def own_environment(self) -> dict[str, str]:
        return super().own_environment | {"SHEEN_IMAGE": str(self.image)}


@pytest.fixture(scope="module")
def stack(image: BuiltImage, open_folder: Path) -> Iterator[ImageStack]:
    running = ImageStack(open_folder / "image-stack", free_port())
    running.image = image.root
    running.start()
    yield running
    running.stop()


@pytest.fixture(scope="module")
def url(stack: ImageStack) -> str:
    return stack.publish(TREE / "tests" / "workers" / "apps" / "inputs", "/inputs")


def test_it_is_no_larger_than_is_said(image: BuiltImage) -> None:
    used = subprocess.run(
        ["du", "-sxm", str(image.root)], capture_output=True, text=True, check=True
    ).stdout
    assert int(used.split()[0]) < MOST_MB


def test_no_program_in_it_gives_rights(image: BuiltImage) -> None:
    found = subprocess.run(
        ["find", str(image.root), "-xdev", "-type", "f", "-perm", "/6000"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout == ""


def test_every_input_of_shiny_works(
    stack: ImageStack,
    url: str,
    page: Page,
    tmp_path: Path,
) -> None:
    page.goto(url)
    got = page.locator("#got")
    expect(got).to_contain_text("date=2026-11-20", timeout=START)
    page.locator("#text").fill("Ada")
    page.locator("#area").fill("two\nlines")
    page.locator("#password").fill("secret")
    page.locator("#number").fill("42")
    page.locator("#slider").evaluate("slider => $(slider).data('ionRangeSlider').update({from: 7})")
    page.locator("#date input").click()
    page.locator(".datepicker-days td.day:not(.old):not(.new)", has_text=re.compile("^24$")).click()
    page.locator("#range input").first.click()
    page.locator(".datepicker-days td.day:not(.old):not(.new)", has_text=re.compile("^3$")).click()
    page.locator("h2, body").first.press("Escape")
    page.locator("#plain").select_option("b")
    page.locator("#select + .selectize-control").click()
    page.locator("#select + .selectize-control [data-value=b]").click()
    page.locator("#column + .selectize-control").click()
    page.locator("#column + .selectize-control [data-value='Species']").click()
    page.locator("#check").check()
    page.locator("#group input[value=y]").check()
    page.locator("#radio input[value=two]").check()
    page.locator("#button").click()
    page.locator("#link").click()
    (tmp_path / "up.txt").write_text("uploaded")
    page.locator("#file").set_input_files(tmp_path / "up.txt")
    page.locator("#plot img").click()
    words = (
        "text=Ada password=secret number=42 slider=7 date=2026-11-24 "
        "range=2026-11-03,2026-11-30 select=b plain=b column=Species"
    )
    marks = "check=TRUE group=y radio=two button=1 link=1 file=uploaded click=clicked"
    for line in (*words.split(), "area=two\nlines", *marks.split()):
        expect(got).to_contain_text(line, timeout=20_000)
    with page.expect_download() as download:
        page.locator("#download").click()
    assert "setosa" in Path(download.value.path()).read_text()


def test_it_has_what_apps_are_promised_and_they_write_to_nothing_but_their_own(
    stack: ImageStack,
    url: str,
    page: Page,
) -> None:
    page.goto(url)
    machine = page.locator("#machine")
    expect(machine).to_contain_text("writable=", timeout=START)
    found = dict(line.split("=", 1) for line in machine.inner_text().splitlines())
    assert found["sqlite"] == "42"
    assert set(found["drivers"].split(",")) == {
        "FreeTDS",
        "PostgreSQL ANSI",
        "PostgreSQL Unicode",
        "SQLite",
        "SQLite3",
    }
    assert (found["document"], found["locale"], found["cairo"], found["dbi"]) == (
        "TRUE",
        "en_US.UTF-8",
        "TRUE,TRUE",
        "TRUE",
    )
    assert int(found["user"]) >= 200_000
    assert found["root"] == "FALSE"
    assert (
        found["writable"] == "/tmp"
    )  # beside it only the shared file system, a mount of its own, and there what is its own


def test_an_app_in_python_is_served(stack: ImageStack, page: Page, tmp_path: Path) -> None:
    page.goto(stack.publish(app(tmp_path / "snake", PYTHON_ECHO, "app.py"), "/python"))
    expect(page.locator("#who")).not_to_be_empty(timeout=START)
    page.locator("#said").fill("a word")
    expect(page.locator("#heard")).to_have_text("heard: a word")


def test_ecs_finds_it_healthy(stack: ImageStack, image: BuiltImage, url: str) -> None:
    stack.wake("/inputs/")
    instance = stack.instance_of("/inputs")
    assert instance is not None
    agents = [
        path
        for path in Path("/proc").glob("[0-9]*/environ")
        if _has(path, str(instance["instance_id"]))
    ]
    variables = dict(
        part.split("=", 1) for part in agents[0].read_bytes().decode().split("\0") if "=" in part
    )
    within = image.command(
        stack.data / "efs", AGENT_MOUNTS, ["/opt/sheen/bin/python3", *HEALTH[1:]]
    )
    metadata = {
        "ECS_CONTAINER_METADATA_URI_V4": variables["ECS_CONTAINER_METADATA_URI_V4"],
        "PATH": os.environ["PATH"],
    }
    checked = subprocess.run(within, env=metadata, capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stdout) == (0, "healthy\n"), checked
    gone = subprocess.run(
        within,
        env={**metadata, "ECS_CONTAINER_METADATA_URI_V4": "http://127.0.0.1:9/x"},
        capture_output=True,
        check=False,
    )
    assert gone.returncode == 1


def test_it_ends_within_the_grace_when_it_is_stopped(
    stack: ImageStack,
    url: str,
    page: Page,
) -> None:
    page.goto(url)
    expect(page.locator("#got")).to_contain_text("text=", timeout=START)
    ecs = stack.client("ecs")
    arns = ecs.list_tasks(cluster="sheen-local", desiredStatus="RUNNING")["taskArns"]
    for arn in arns:
        ecs.stop_task(cluster="sheen-local", task=arn, reason="test")
    until(
        lambda: (
            {
                task["lastStatus"]
                for task in ecs.describe_tasks(cluster="sheen-local", tasks=arns)["tasks"]
            }
            == {"STOPPED"}
        ),
        60,
        "the end",
    )
    containers = [
        container
        for task in ecs.describe_tasks(cluster="sheen-local", tasks=arns)["tasks"]
        for container in task["containers"]
    ]
    # It ended by itself, when it had drained; what is late is killed, and has the code 137.
    assert {container["exitCode"] for container in containers} == {0}


def _has(path: Path, word: str) -> bool:
    try:
        return word.encode() in path.read_bytes()
    except OSError:
        return False
