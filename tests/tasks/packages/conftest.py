"""A repository, and a cache that the tests of a file share: installing a package takes seconds."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.cran import Cran, cran


@pytest.fixture(scope="module")
def repository(open_folder: Path, request: pytest.FixtureRequest) -> Iterator[Cran]:
    with cran(open_folder / f"cran-{request.module.__name__}") as served:
        yield served
