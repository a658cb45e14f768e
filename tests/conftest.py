"""Fixtures that more than one part of the tests uses."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.support.cran import Cran, cran
from tests.support.effort import FULL
from tests.support.stack import StackProcess, free_port
from tests.support.wheels import Index, index

# How long an example takes says what else the machine does, and nothing of the code.
settings.register_profile(
    "sheen", deadline=None, derandomize=not FULL, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("sheen")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that use the shared stack."""
    for item in items:
        if isinstance(item, pytest.Function) and "stack" in item.fixturenames:
            item.add_marker(pytest.mark.stack)


@pytest.fixture(scope="session")
def open_folder(request: pytest.FixtureRequest) -> Iterator[Path]:
    """A folder that apps' own users may enter, as pytest's are not; it stays after a failure."""
    folder = Path(tempfile.mkdtemp(prefix="sheen-tests-"))
    folder.chmod(0o711)
    yield folder
    if not request.session.testsfailed:
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
def repository(open_folder: Path) -> Iterator[Cran]:
    """A repository of R packages on loopback; tests may add more."""
    with cran(open_folder / "cran") as served:
        yield served


@pytest.fixture(scope="session")
def wheels(open_folder: Path) -> Iterator[Index]:
    """An index of Python packages on loopback; tests may add some."""
    with index(open_folder / "wheels") as served:
        yield served


@pytest.fixture(scope="session")
def stack(open_folder: Path, repository: Cran, wheels: Index) -> Iterator[StackProcess]:
    """One local stack for all tests of this process that use, but do not stop or break, it.

    Its builds use :func:`repository` and :func:`wheels`.
    """
    running = StackProcess(
        open_folder / "stack",
        free_port(),
        repositories=repository.url,
        python_repositories=wheels.url,
    )
    running.start()
    yield running
    running.stop()
