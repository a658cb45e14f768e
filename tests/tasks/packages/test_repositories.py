"""What is fetched from a repository is whole."""

from pathlib import Path

import pytest

from chalicelib.configuration.repositories import Repositories
from tasks.packages import image, repositories
from tasks.packages.lock import LockedPackage
from tasks.packages.repositories import Repository, Unreachable
from tests.support.cran import GREETING_1, cran


def test_r_says_which_repository_it_asks_by_itself() -> None:
    assert Repositories.parse(image.mirror()).urls, "it is the URL of a repository"


@pytest.mark.parametrize("how", ["length", "chunked"])
def test_a_download_that_breaks_off_is_tried_again_and_never_taken_for_the_source(
    how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with cran(tmp_path / "cran") as served:
        repository, wanted, to = (
            Repository(served.url),
            LockedPackage("greeting", "1.0"),
            tmp_path / "sources/greeting.tar.gz",
        )
        path = f"/src/contrib/Archive/greeting/{GREETING_1.archive}"
        served.cut[path] = how
        assert repository.fetch(wanted, to)
        assert to.read_bytes() == GREETING_1.pack()
        assert served.requests.count(path) == 2
        to.unlink()
        monkeypatch.setattr(repositories, "_TRIES", 1)
        served.cut[path] = how
        with pytest.raises(Unreachable):
            repository.fetch(wanted, to)
        assert list(to.parent.iterdir()) == []
