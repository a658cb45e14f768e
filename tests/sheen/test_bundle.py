"""What the command packs of a folder."""

import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from chalicelib.publishing.limits import BundleLimits
from sheen.bundle import NotAnApp, zip_folder
from tasks.archive.zips import entries_of


def test_the_authors_installed_packages_stay_at_home_and_their_lock_files_do_not(
    tmp_path: Path,
) -> None:
    packed = {
        ".Rprofile",
        "app.R",
        "renv.lock",
        "renv/activate.R",
        "packrat/packrat.lock",
        "packrat/init.R",
        "www/renv/library/note.txt",
    }
    left = {
        "renv/library/R-4.2/x/R6/DESCRIPTION",
        "renv/staging/1/x",
        "packrat/lib/x/R6/DESCRIPTION",
        "packrat/src/R6/R6_2.5.1.tar.gz",
        ".git/HEAD",
        "rsconnect/documents/app.dcf",
    }
    for name in packed | left:
        (tmp_path / "app" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "app" / name).write_text(name)
    zip_folder(tmp_path / "app", tmp_path / "app.zip")
    with zipfile.ZipFile(tmp_path / "app.zip") as bundle:
        assert set(bundle.namelist()) == packed


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "app" / "data" / "2026").mkdir(parents=True)
    (tmp_path / "app" / "app.R").write_text("app")
    (tmp_path / "app" / "data" / "2026" / "sales.csv").write_text("sales")
    return tmp_path / "app"


def test_links_to_folders_of_the_app_stay_links_and_those_to_files_become_files(
    folder: Path, tmp_path: Path
) -> None:
    (folder / "www").mkdir()
    (folder / "www" / "newest").symlink_to(folder / "data" / "2026")
    (folder / "newest").symlink_to("data/2026")
    (folder / "newest.csv").symlink_to("newest/sales.csv")
    (folder / "renv").mkdir()
    (folder / "renv" / "library").symlink_to("/usr/lib/R/library")
    first = zip_folder(folder, tmp_path / "app.zip")
    entries = {
        entry.path: entry.link_to
        for entry in entries_of(tmp_path / "app.zip", "app.zip", BundleLimits())
    }
    assert entries == {
        "app.R": None,
        "data/2026/sales.csv": None,
        "newest.csv": None,
        "newest": "data/2026",
        "www/newest": "data/2026",
    }
    assert zip_folder(folder, tmp_path / "again.zip") == first


def packed(folder: Path, tmp_path: Path) -> tuple[set[str], list[str]]:
    """What is in the folder's bundle, and what the author is told."""
    _, notes = zip_folder(folder, tmp_path / "app.zip")
    return {
        entry.path for entry in entries_of(tmp_path / "app.zip", "app.zip", BundleLimits())
    }, notes


def test_a_link_to_a_folder_beside_the_app_is_packed_as_that_folder_and_said(
    folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "shared" / "deep").mkdir(parents=True)
    (tmp_path / "shared" / "deep" / "a.csv").write_text("a")
    (tmp_path / "shared" / "back").symlink_to(folder / "data")
    (folder / "data" / "shared").symlink_to("../../shared")
    with zipfile_links(folder, tmp_path) as (names, links, notes):
        assert names == {"app.R", "data/2026/sales.csv", "data/shared/deep/a.csv"}
        assert links == {"data/shared/back": "data"}
    assert notes == [
        f"note: data/shared is a link to {tmp_path / 'shared'}; what is in that folder is packed"
    ]


@contextmanager
def zipfile_links(
    folder: Path, tmp_path: Path
) -> Iterator[tuple[set[str], dict[str, str], list[str]]]:
    _, notes = zip_folder(folder, tmp_path / "app.zip")
    entries = list(entries_of(tmp_path / "app.zip", "app.zip", BundleLimits()))
    links = {entry.path: entry.link_to for entry in entries if entry.link_to is not None}
    yield {entry.path for entry in entries if entry.link_to is None}, links, notes


@pytest.mark.parametrize("target", ["..", "../.."])
def test_a_link_to_a_folder_that_has_the_app_in_it_is_refused_with_the_way_out(
    folder: Path, tmp_path: Path, target: str
) -> None:
    (folder / "all").symlink_to(target)
    with pytest.raises(
        NotAnApp,
        match=r"app/all: a link to .*, in which it is itself; .* or name all in a file \.rscignore",
    ):
        zip_folder(folder, tmp_path / "app.zip")
    (folder / ".rscignore").write_text("all\n")
    assert packed(folder, tmp_path)[0] == {"app.R", "data/2026/sales.csv"}


def test_folders_elsewhere_that_lead_to_each_other_are_refused(
    folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    (tmp_path / "one" / "two").symlink_to(tmp_path / "two")
    (tmp_path / "two" / "one").symlink_to(tmp_path / "one")
    (folder / "one").symlink_to(tmp_path / "one")
    with pytest.raises(NotAnApp, match="in which it is itself"):
        zip_folder(folder, tmp_path / "app.zip")


def test_a_link_to_a_folder_with_too_much_in_it_is_named(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sheen.bundle.BundleLimits", lambda: BundleLimits(files=2))
    (folder / "shared").symlink_to("/usr/share")
    with pytest.raises(
        NotAnApp, match="more than 2 files, with those of the folders that shared lead to"
    ):
        zip_folder(folder, tmp_path / "app.zip")


def write(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)


def test_rscignore_keeps_out_what_it_names_beside_it_and_the_author_is_told(
    folder: Path, tmp_path: Path
) -> None:
    write(
        folder,
        "secret.csv",
        "data/secret.csv",
        "dev/notes.txt",
        "data/draft.R",
        "a.log",
        "data/a.log",
        "www/x.R",
    )
    (folder / ".rscignore").write_text(
        "# not for visitors\nsecret.csv\n\ndev/\n*.log\nno.csv\nw+\n"
    )
    (folder / "data" / ".rscignore").write_text("draft.R\r\n")
    names, notes = packed(folder, tmp_path)
    assert names == {"app.R", "data/2026/sales.csv", "data/secret.csv", "data/a.log", "www/x.R"}
    assert notes == [
        (
            "left out: a.log (.rscignore), data/draft.R (.rscignore), dev/ (.rscignore), "
            "secret.csv (.rscignore)"
        ),
        'note: .rscignore: nothing beside it is called "no.csv"',
        'note: .rscignore: nothing beside it is called "w+"',
    ]


def test_what_the_app_serves_is_packed_whatever_tools_call_such_folders(
    folder: Path, tmp_path: Path
) -> None:
    served = (
        "www/node_modules/d3/d3.js",
        "www/rsconnect/a.txt",
        "data/.RData",
        "www/.venv/a.txt",
        "renv/activate.R",
    )
    write(
        folder,
        *served,
        "node_modules/d3/d3.js",
        "rsconnect/a.dcf",
        ".RData",
        ".venv/a",
        "www/.git/HEAD",
        "renv/library/x",
    )
    (folder / "gone").symlink_to("nowhere")
    names, notes = packed(folder, tmp_path)
    assert names == {"app.R", "data/2026/sales.csv", *served}
    assert notes == [
        "left out: .RData (R's saved workspace), .venv/ (Python packages of this "
        "machine), gone (a link to nothing), "
        "node_modules/ (JavaScript packages of this machine), renv/library/ (R packages "
        "of this machine), "
        "rsconnect/ (records of rsconnect), www/.git/ (version control)"
    ]


def test_a_bundle_has_execute_bits_and_times_and_its_fingerprint_only_the_first(
    folder: Path, tmp_path: Path
) -> None:
    (folder / "tool.sh").write_text("#!/bin/sh\n")
    before = zip_folder(folder, tmp_path / "app.zip").fingerprint
    (folder / "tool.sh").chmod(0o4755)
    executable = zip_folder(folder, tmp_path / "app.zip").fingerprint
    os.utime(folder / "app.R", (1_200_000_001, 1_200_000_001))
    assert before != executable == zip_folder(folder, tmp_path / "app.zip").fingerprint
    entries = {
        entry.path: entry for entry in entries_of(tmp_path / "app.zip", "app.zip", BundleLimits())
    }
    assert [path for path, entry in entries.items() if entry.executable] == ["tool.sh"]
    assert entries["app.R"].changed_at == 1_200_000_001


def test_a_file_that_cannot_be_read_is_named(folder: Path, tmp_path: Path) -> None:
    (folder / "app.R").chmod(0)
    pack = (
        "import sys, pathlib, sheen.bundle as bundle; bundle.zip_folder(*map(pathlib.Path, "
        "sys.argv[1:]))"
    )
    # Without its capabilities root may read no more than an owner may.
    bare = ["setpriv", "--inh-caps=-all", "--bounding-set=-all", "--"] if os.geteuid() == 0 else []
    command = [*bare, sys.executable, "-c", pack, str(folder), str(tmp_path / "app.zip")]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "NotAnApp" in result.stderr
    assert f"{folder}/app.R: it cannot be read" in result.stderr
