"""Python packages are restored by pip, as wheels, and the app's Python finds them."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from chalicelib.configuration.repositories import Indexes
from tasks.build_log import BuildLog
from tasks.packages import python
from tasks.packages.errors import NotAvailable, NotInstalled
from tasks.packages.restore import LibraryFolders
from tests.support.wheels import Index, index

UNIX_ID = 234_568


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    with index(tmp_path_factory.mktemp("index")) as found:
        found.add(
            "sheenpolite",
            "1.0",
            "from sheenbow import depth\nbow = 'a bow, ' + depth\n",
            ("sheenbow>=2", "packaging"),
        )
        found.add("sheenbow", "1.0", "depth = 'slight'\n")
        found.add("sheenbow", "2.0", "depth = 'deep'\n")
        yield found


def build(folder: Path, text: str, indexes: str) -> Path | None:
    """Restore what a requirements.txt wants; return the library."""
    app = folder / "app"
    app.mkdir(parents=True)
    (app / "requirements.txt").write_text(text)
    place = LibraryFolders(folder / "packages", folder / "making", folder / "v1.library")
    with BuildLog(lambda text: None, lambda error: pytest.fail(str(error))) as log:
        try:
            made = python.restore(app, place, Indexes.parse(indexes), log, lambda what: None)
        except BaseException:
            assert not place.making.exists()
            raise
    assert made == place.making.exists()
    return place.making.rename(place.final) if made else None


def test_what_is_missing_is_fetched_with_what_it_needs_and_nothing_that_the_image_has(
    open_folder: Path, served: Index
) -> None:
    library = build(open_folder / "python-restore", "sheenpolite\nshiny\n", served.url)
    assert library is not None
    assert sorted(
        path.name for path in library.iterdir() if not path.name.endswith(".dist-info")
    ) == ["sheenbow", "sheenpolite"]
    drop = (
        ["setpriv", "--reuid", str(UNIX_ID), "--regid", str(UNIX_ID), "--clear-groups", "--"]
        if os.geteuid() == 0
        else []
    )
    said = subprocess.run(
        [*drop, sys.executable, "-B", "-v", "-c", "import sheenpolite; print(sheenpolite.bow)"],
        env={"PYTHONPATH": str(library)}, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert said.stdout == "a bow, deep\n"
    assert f"# code object from '{library}/sheenpolite/__pycache__/" in said.stderr
    assert all(
        path.stat().st_uid == os.geteuid() and not path.stat().st_mode & 0o022
        for path in library.rglob("*")
    )


def test_without_an_index_what_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        NotAvailable,
        match=r"shiny==0.0.1 \(the image has .*\), sheenpolite>=1. This deployment fetches no "
        r"Python packages",
    ):
        build(tmp_path / "a", "shiny==0.0.1\nsheenpolite>=1\n", "")
    assert build(tmp_path / "b", "shiny\n", "") is None


def test_what_no_index_has_fails_with_what_pip_said(open_folder: Path, served: Index) -> None:
    with pytest.raises(NotInstalled, match="No matching distribution found for sheennobody"):
        build(open_folder / "python-missing", "sheennobody==3\n", served.url)


def test_what_does_not_go_with_its_hash_is_not_installed(open_folder: Path, served: Index) -> None:
    right = served.add("sheenhashed", "1.0", "x = 1\n")
    assert (
        build(open_folder / "python-hash-1", f"sheenhashed==1.0 --hash={right}\n", served.url)
        is not None
    )
    with pytest.raises(NotInstalled, match="which is none of those in the file"):
        build(
            open_folder / "python-hash-2",
            f"sheenhashed==1.0 --hash=sha256:{'0' * 64}\n",
            served.url,
        )
