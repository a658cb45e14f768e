"""Bundles as R's rsconnect and rsconnect-python write them, published as they are."""

import json
import os
import subprocess
import tarfile
from pathlib import Path

import pytest
from rsconnect.bundle import make_manifest_bundle

from tasks.packages import manifest, packrat
from tests.support.apps import app
from tests.support.cran import Cran
from tests.support.publishing import upload
from tests.support.stack import StackProcess

pytestmark = pytest.mark.stack

POLITE = (
    "library(shiny)\nlibrary(polite)\nshinyApp(fluidPage(tags$b(bow())), function(input, "
    "output) {})\n"
)


@pytest.fixture(scope="module")
def author(tmp_path_factory: pytest.TempPathFactory, repository: Cran) -> dict[str, str]:
    """The environment of an author's R: a library with packages from the repository."""
    home = tmp_path_factory.mktemp("author")
    library = home / "library"
    library.mkdir()
    (home / ".Rprofile").write_text(f'options(repos = c(CRAN = "{repository.url}"))\n')
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "R_LIBS": str(library),
        "R_LIBS_USER": "NULL",
    }
    r("install.packages('polite', quiet = TRUE)", environment, home)
    return environment


def r(code: str, environment: dict[str, str], folder: Path) -> str:
    profile = {"R_PROFILE_USER": f"{environment['HOME']}/.Rprofile"}
    done = subprocess.run(
        ["Rscript", "-e", code],
        env=environment | profile,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_rsconnects_own_bundle_is_published_and_served_with_its_packages(
    stack: StackProcess, author: dict[str, str], repository: Cran, tmp_path: Path
) -> None:
    folder = app(tmp_path / "bundled", POLITE)
    (folder / "www").mkdir()
    (folder / "www" / "note.txt").write_text("beside the app")
    # What rsconnect::deployApp packs and uploads.
    pack = (
        'rsconnect:::bundleApp("bundled", getwd(), rsconnect:::bundleFiles(getwd()), NULL, '
        '"application", NULL)'
    )
    r(f'invisible(file.copy({pack}, "{tmp_path}/bundle.tar.gz"))', author, folder)
    with tarfile.open(tmp_path / "bundle.tar.gz") as packed:
        names = {name.removeprefix("./") for name in packed.getnames()}
        packed.extractall(tmp_path / "packed", filter="data")
    assert {"manifest.json", "app.R", "www/note.txt"} <= names
    by_rsconnect = manifest.read((tmp_path / "packed/manifest.json").read_text())
    by_packrat = packrat.read((tmp_path / "packed/packrat/packrat.lock").read_text())
    assert by_rsconnect is not None
    assert [str(each) for each in by_rsconnect.packages] == [
        str(each) for each in by_packrat.packages
    ]
    assert {each.repository.rstrip("/") for each in by_packrat.packages} == {repository.url}
    found = upload(
        stack, "bundles/bundled/bundle.tar.gz", (tmp_path / "bundle.tar.gz").read_bytes()
    )
    assert (found["status"], found["message"]) == ("active", "Published.")
    stack.wake("/bundled/")
    assert "<b>polite greeting 2.0</b>" in stack.get("/bundled/", {"accept": "text/html"}).text
    assert stack.get("/bundled/note.txt").text == "beside the app"


def test_a_folder_with_rsconnects_manifest_is_published_and_so_is_what_rsconnect_python_packs_of_it(
    stack: StackProcess, author: dict[str, str], tmp_path: Path
) -> None:
    folder = app(tmp_path / "manifested", POLITE)
    r("rsconnect::writeManifest()", author, folder)
    packages = json.loads((folder / "manifest.json").read_text())["packages"]
    assert {"shiny", "polite", "greeting"} <= packages.keys()
    stack.publish(folder, "/manifested")
    stack.wake("/manifested/")
    assert "<b>polite greeting 2.0</b>" in stack.get("/manifested/", {"accept": "text/html"}).text
    # What `rsconnect deploy manifest manifest.json` packs and uploads.
    with make_manifest_bundle(str(folder / "manifest.json")) as bundle:
        (tmp_path / "bundle.tar.gz").write_bytes(bundle.read())
    found = upload(
        stack, "bundles/by-python/bundle.tar.gz", (tmp_path / "bundle.tar.gz").read_bytes()
    )
    assert (found["status"], found["message"]) == ("active", "Published.")
    stack.wake("/by-python/")
    assert "<b>polite greeting 2.0</b>" in stack.get("/by-python/", {"accept": "text/html"}).text
