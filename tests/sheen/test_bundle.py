"""What the command packs of a folder."""

import zipfile
from pathlib import Path

from sheen.bundle import zip_folder


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
