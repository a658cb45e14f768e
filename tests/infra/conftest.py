"""A stack with the tiny app, shared by the tests that do not break it."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.infra.tiny_process import TinyStack


@pytest.fixture(scope="session")
def tiny() -> Iterator[TinyStack]:
    with tempfile.TemporaryDirectory(prefix="tiny-") as folder:
        stack = TinyStack(Path(folder))
        stack.start()
        yield stack
        stack.stop()


@pytest.fixture
def own_tiny() -> Iterator[TinyStack]:
    """A folder for a stack that the test starts and breaks itself."""
    with tempfile.TemporaryDirectory(prefix="tiny-") as folder:
        stack = TinyStack(Path(folder))
        yield stack
        if stack.process is not None and stack.process.poll() is None:
            stack.stop()
