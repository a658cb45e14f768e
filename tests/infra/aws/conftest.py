"""Every stage's templates, made once."""

from pathlib import Path

import pytest

from infra.aws.settings import Stage, load, stages
from infra.aws.synth import synthesise
from tests.infra.aws.templates import Templates


@pytest.fixture(scope="session")
def templates(tmp_path_factory: pytest.TempPathFactory) -> Templates:
    """Stage → its templates, in the order in which they are deployed."""
    folder: Path = tmp_path_factory.mktemp("templates")
    return {name: synthesise(load(name), folder / name) for name in stages()}


@pytest.fixture(params=stages())
def stage(request: pytest.FixtureRequest) -> Stage:
    """Each stage of the tree."""
    return load(request.param)
