"""The image as a real builder makes it of its Dockerfile, and apps served from it: the tests of
``image_checks``, in that image.

Takes some minutes: ``make test-all`` runs it, ``make test`` does not.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from infra.declared import DECLARED
from infra.local.built_image import built
from infra.local.image import BuiltImage
from tests.support.stack import TREE
from tests.workers.image_checks import (
    stack,
    test_an_app_in_python_is_served,
    test_ecs_finds_it_healthy,
    test_every_input_of_shiny_works,
    test_it_ends_within_the_grace_when_it_is_stopped,
    test_it_has_what_apps_are_promised_and_they_write_to_nothing_but_their_own,
    test_it_is_no_larger_than_is_said,
    test_no_program_in_it_gives_rights,
    url,
)

__all__ = [
    "stack",
    "test_an_app_in_python_is_served",
    "test_ecs_finds_it_healthy",
    "test_every_input_of_shiny_works",
    "test_it_ends_within_the_grace_when_it_is_stopped",
    "test_it_has_what_apps_are_promised_and_they_write_to_nothing_but_their_own",
    "test_it_is_no_larger_than_is_said",
    "test_no_program_in_it_gives_rights",
    "url",
]

pytestmark = [
    pytest.mark.image,
    pytest.mark.stack,
    pytest.mark.browser,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a Debian root, and run in it"),
]


@pytest.fixture(scope="module")
def made() -> Iterator[tuple[BuiltImage, dict[str, Any]]]:
    folder = Path(tempfile.mkdtemp(prefix="sheen-built-", dir="/var/tmp"))
    folder.chmod(0o755)
    with built(TREE, folder) as found:
        yield found
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def image(made: tuple[BuiltImage, dict[str, Any]]) -> BuiltImage:
    return made[0]


def test_it_says_of_itself_what_fargate_and_the_task_definitions_take_for_granted(
    made: tuple[BuiltImage, dict[str, Any]],
) -> None:
    told = made[1]
    assert sorted(told["Volumes"]) == ["/run", "/tmp"]
    assert told["StopSignal"] == "SIGTERM"
    assert "User" not in told, "the agent is root"
    agents = [task for task in DECLARED.task_definitions if task.kind == "agent"]
    assert {task.command[1:] for task in agents} == {tuple(told["Cmd"][1:])}


def test_nothing_of_this_machine_is_in_it(image: BuiltImage) -> None:
    left = [
        path
        for path in (image.root / "usr/local/lib/sheen").rglob("*")
        if path.name in (".venv", "node_modules", ".git", ".sheen")
    ]
    assert not left
    assert (image.root / "usr/local/lib/sheen/workers/r/.build/fork.so").exists(), "compiled there"
