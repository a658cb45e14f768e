"""The image, made by its Dockerfile in a clean Debian root.

No container engine is needed; root and Debian's mirror are.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.local.image import BuiltImage, make
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
    pytest.mark.timeout(1200),
    pytest.mark.stack,
    pytest.mark.browser,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a Debian root, and run in it"),
]


@pytest.fixture(scope="module")
def image() -> Iterator[BuiltImage]:
    """The image; while working on these tests, SHEEN_IMAGE is one that is there already."""
    if "SHEEN_IMAGE" in os.environ:
        yield BuiltImage.load(Path(os.environ["SHEEN_IMAGE"]))
        return
    folder = Path(tempfile.mkdtemp(prefix="sheen-image-", dir="/var/tmp"))
    folder.chmod(0o755)
    yield make(TREE, folder / "root")
    shutil.rmtree(folder)
