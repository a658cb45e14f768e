"""What the command packs of a folder."""

import zipfile
from pathlib import Path

import pytest

from sheen.bundle import NotAnApp, zip_folder
from tasks.archive.limits import Limits
from tasks.archive.zips import entries_of


def test_the_authors_installed_packages_stay_at_home_and_their_lock_files_do_not(tmp_path: Path) -> None:
    packed = {".Rprofile", "app.R", "renv.lock", "renv/activate.R", "packrat/packrat.lock", "packrat/init.R", "www/renv/library/note.txt"}
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


def test_links_to_folders_of_the_app_stay_links_and_those_to_files_become_files(folder: Path, tmp_path: Path) -> None:
    (folder / "www").mkdir()
    (folder / "www" / "newest").symlink_to(folder / "data" / "2026")
    (folder / "newest").symlink_to("data/2026")
    (folder / "newest.csv").symlink_to("newest/sales.csv")
    (folder / "renv").mkdir()
    (folder / "renv" / "library").symlink_to("/usr/lib/R/library")
    first = zip_folder(folder, tmp_path / "app.zip")
    entries = {entry.path: entry.link_to for entry in entries_of(tmp_path / "app.zip", "app.zip", Limits())}
    assert entries == {
        "app.R": None,
        "data/2026/sales.csv": None,
        "newest.csv": None,
        "newest": "data/2026",
        "www/newest": "data/2026",
    }
    assert zip_folder(folder, tmp_path / "again.zip") == first


def test_a_link_to_a_folder_elsewhere_is_refused_by_its_name(folder: Path, tmp_path: Path) -> None:
    (folder / "data" / "shared").symlink_to("/usr/share")
    with pytest.raises(NotAnApp, match=r"data/shared: a link to a folder out of the app, /usr/share; put a copy of it there"):
        zip_folder(folder, tmp_path / "app.zip")
