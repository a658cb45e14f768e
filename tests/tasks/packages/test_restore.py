"""Packages are restored from a repository by R itself, shared by a cache, and R finds them."""

import json
import os
import stat
import subprocess
import uuid
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from chalicelib.configuration.app_settings import AppSettings
from chalicelib.configuration.repositories import Repositories
from tasks.build_log import BuildLog
from tasks.packages import locks, restore
from tasks.packages.errors import BadLock, NotAvailable, NotInstalled
from tasks.packages.install import install
from tests.support.cran import Cran, SourcePackage, renv_lock

UNIX_ID = 234_567
UNREACHABLE = "http://127.0.0.1:1"


@dataclass
class Builds:
    """Builds with one cache."""

    efs: Path
    told: list[str] = field(default_factory=list)
    log: str = ""

    def build(
        self, lock: dict[str, Any] | str, repositories: str, **settings: object
    ) -> Path | None:
        """Restore what a renv.lock wants, or a packrat.lock if it is text; return the library."""
        app = self.efs / "incoming" / uuid.uuid4().hex
        app.mkdir(parents=True)
        if isinstance(lock, str):
            (app / "packrat.lock").write_text(lock)
        else:
            (app / "renv.lock").write_text(json.dumps(lock))
        final = self.efs / "apps" / uuid.uuid4().hex[:12] / "v1.library"
        final.parent.mkdir(parents=True)
        place = restore.LibraryFolders(
            self.efs / "packages", app.with_name(f"{app.name}.library"), final
        )
        wanted = locks.find(app)
        assert wanted is not None
        self.told.clear()

        def write(text: bytes) -> None:
            self.log = text.decode()

        with BuildLog(write, lambda error: pytest.fail(str(error)), every=0.1) as log:
            try:
                made = restore.restore(
                    wanted,
                    place,
                    Repositories.parse(repositories),
                    AppSettings.parse(settings),
                    log,
                    self.told.append,
                )
            finally:
                assert not final.exists()
                left = place.making.exists()
        assert left == made
        if not made:
            return None
        place.making.rename(final)
        return final


@pytest.fixture(scope="module")
def builds(open_folder: Path) -> Builds:
    efs = open_folder / "efs-of-restore"
    efs.mkdir()
    return Builds(efs)


def r_says(library: Path, code: str) -> str:
    """What R says as an app's own user with the library in front."""
    drop = (
        ["setpriv", "--reuid", str(UNIX_ID), "--regid", str(UNIX_ID), "--clear-groups", "--"]
        if os.geteuid() == 0
        else []
    )
    said = subprocess.run(
        [*drop, "R", "--no-echo", "--no-save", "-e", f"cat({code})"],
        env={"PATH": os.environ["PATH"], "R_LIBS": str(library), "LANG": "C.UTF-8"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert said.returncode == 0, said.stderr
    return said.stdout


POLITE = (("polite", "0.3-1"), ("greeting", "1.0"))


def test_an_old_version_from_the_archive_and_what_needs_it(
    builds: Builds, repository: Cran
) -> None:
    library = builds.build(renv_lock(*POLITE), repository.url)
    assert library is not None
    assert r_says(library, "polite::bow()") == "polite greeting 1.0"
    assert "/src/contrib/Archive/greeting/greeting_1.0.tar.gz" in repository.requests
    assert (
        builds.told[0] == "Looking for 2 packages that renv.lock wants and the image does not have."
    )
    assert builds.told[1:] == [
        "Installing packages: 0 of 2 are there; now greeting 1.0.",
        "Installing packages: 1 of 2 are there; now polite 0.3-1.",
    ]
    assert "greeting 1.0| * DONE (greeting)" in builds.log.splitlines()
    assert builds.log.index("DONE (greeting)") < builds.log.index(
        "installing from polite_0.3-1.tar.gz"
    )


def test_another_app_gets_the_same_from_the_cache_without_a_repository(
    builds: Builds, repository: Cran
) -> None:
    builds.build(renv_lock(*POLITE), repository.url)
    asked = len(repository.requests)
    library = builds.build(renv_lock(*POLITE), repository.url)
    assert library is not None
    assert not any(message.startswith("Installing") for message in builds.told)
    assert len(repository.requests) == asked
    assert "from the cache: greeting, polite" in builds.log
    assert r_says(library, "polite::bow()") == "polite greeting 1.0"


def test_packrats_lock_file_gets_the_same(builds: Builds, repository: Cran) -> None:
    head = (
        "PackratFormat: 1.4\nPackratVersion: 0.9.0\nRVersion: 4.2.2\nRepos: "
        f"CRAN={repository.url}/\n"
    )
    wanted = "".join(
        f"\nPackage: {name}\nSource: CRAN\nVersion: {version}\n" for name, version in POLITE
    )
    library = builds.build(head + wanted, repository.url)
    assert library is not None
    assert sorted(path.name for path in library.iterdir()) == ["greeting", "polite"]


def test_the_cache_can_be_done_without(builds: Builds, repository: Cran) -> None:
    library = builds.build(renv_lock(("greeting", "1.0")), repository.url, package_cache="off")
    assert library is not None
    assert not (library / "greeting").is_symlink()
    assert r_says(library, "greeting::greet()") == "greeting 1.0"
    assert builds.told[-1] == "Installing packages: 0 of 1 are there; now greeting 1.0."


def test_what_was_compiled_with_other_headers_is_another_entry(
    builds: Builds, repository: Cran
) -> None:
    libraries = [
        builds.build(renv_lock(("compiled", "1.0"), ("headers", version)), repository.url)
        for version in ("1.0", "1.1")
    ]
    assert [r_says(library, "compiled::compiled_answer()") for library in libraries if library] == [
        "41",
        "42",
    ]
    again = builds.build(renv_lock(("compiled", "1.0"), ("headers", "1.0")), repository.url)
    assert again is not None
    assert "from the cache: headers, compiled" in builds.log
    assert r_says(again, "compiled::compiled_answer()") == "41"


def test_a_library_belongs_to_root_and_leads_into_the_cache_only(
    builds: Builds, repository: Cran
) -> None:
    library = builds.build(renv_lock(*POLITE), repository.url)
    assert library is not None
    for link in library.iterdir():
        package = link.resolve()
        assert package.is_relative_to(builds.efs / "packages")
        assert not link.readlink().is_absolute()
        for path in (package, *package.rglob("*")):
            found = path.stat()
            assert found.st_uid == os.geteuid(), path
            assert stat.S_IMODE(found.st_mode) in ({0o755} if path.is_dir() else {0o644, 0o755}), (
                path
            )


def test_one_that_does_not_compile_is_named_with_its_last_words(
    builds: Builds, repository: Cran
) -> None:
    with pytest.raises(NotInstalled) as caught:
        builds.build(renv_lock(("broken", "1.0"), ("greeting", "1.0")), repository.url)
    message = str(caught.value)
    assert message.startswith(
        'package "broken" 1.0 was not installed: R CMD INSTALL ended with 1. The last '
        "that it said:\n"
    )
    assert "the library that this needs is not here" in message
    assert "broken 1.0| ERROR: compilation failed for package" in builds.log
    assert not any("broken" in path.name for path in (builds.efs / "packages").glob("R-*/*"))


def test_what_was_being_installed_when_another_failed_is_kept_for_the_next_build(
    builds: Builds, repository: Cran
) -> None:
    repository.add(SourcePackage("aside", "1.0", files={"configure": "#!/bin/sh\nsleep 3\n"}))
    with pytest.raises(NotInstalled, match='package "broken"'):
        builds.build(renv_lock(("aside", "1.0"), ("broken", "1.0")), repository.url)
    library = builds.build(renv_lock(("aside", "1.0")), repository.url)
    assert library is not None
    assert "from the cache: aside" in builds.log


def test_one_that_takes_too_long_is_ended_and_one_that_takes_long_is_told(
    builds: Builds, repository: Cran, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository.add(
        SourcePackage("endless", "1.0", files={"configure": "#!/bin/sh\nsleep 1000 & sleep 1001\n"})
    )
    monkeypatch.setattr(restore, "install", partial(install, patience=6.0, every=0.5))
    with pytest.raises(
        NotInstalled,
        match=r'package "endless" 1\.0 was not installed: it took more than 0\.1 minutes',
    ):
        builds.build(renv_lock(("endless", "1.0")), repository.url)
    assert "Installing packages: 0 of 1 are there; endless 1.0 has taken 0 min." in builds.told


def test_what_the_image_has_at_the_very_version_is_used_from_there(builds: Builds) -> None:
    version = subprocess.run(
        ["Rscript", "-e", 'cat(as.character(packageVersion("R6")))'],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    ).stdout
    assert builds.build(renv_lock(("R6", version)), UNREACHABLE) is None
    assert "from the image: R6" in builds.log


def test_another_version_than_the_images_stops_the_build_unless_the_app_says_otherwise(
    builds: Builds,
) -> None:
    lock = renv_lock(("R6", "2.0.9"))
    with pytest.raises(NotAvailable) as caught:
        builds.build(lock, UNREACHABLE)
    message = str(caught.value)
    assert 'renv.lock: package "R6" 2.0.9 cannot be had, the image has ' in message
    assert f"{UNREACHABLE}: it does not answer (" in message
    assert "package_mismatch=with-installed" in message
    assert builds.build(lock, UNREACHABLE, package_mismatch="with-installed") is None
    assert "note: going on with the image's R6 " in builds.log
    assert " instead of 2.0.9: " in builds.log


def test_a_version_that_no_repository_has_is_told_with_the_one_that_it_has(
    builds: Builds, repository: Cran
) -> None:
    with pytest.raises(
        NotAvailable, match=rf'package "greeting" 7\.0 cannot be had: {repository.url} has 2\.0'
    ):
        builds.build(renv_lock(("greeting", "7.0")), repository.url)


def test_a_missing_dependency_is_named(builds: Builds, repository: Cran) -> None:
    with pytest.raises(
        BadLock,
        match=r'package "polite" 0\.3-1 needs greeting \(>= 1\.0\), which is neither in '
        r"renv\.lock nor in the image",
    ):
        builds.build(renv_lock(("polite", "0.3-1")), repository.url)


def test_a_repository_that_only_the_lock_file_names_is_not_asked(
    builds: Builds, repository: Cran
) -> None:
    repository.add(SourcePackage("elsewhere", "1.0"))
    lock = renv_lock(("elsewhere", "1.0"), url=repository.url)
    asked = len(repository.requests)
    with pytest.raises(
        NotAvailable, match="which the lock file names, is not among this deployment's repositories"
    ):
        builds.build(lock, "")
    assert len(repository.requests) == asked
    library = builds.build(lock, f"{UNREACHABLE} {repository.url}/*")
    assert library is not None
    assert (library / "elsewhere").is_dir()


def test_a_source_that_is_not_what_the_index_says_is_refused(
    builds: Builds, repository: Cran
) -> None:
    package = SourcePackage("tampered", "1.0")
    repository.add(package)
    (repository.contrib / package.archive).write_bytes(
        SourcePackage("tampered", "1.0", r="evil <- 1").pack()
    )
    with pytest.raises(NotAvailable, match="is not what its index says"):
        builds.build(renv_lock(("tampered", "1.0")), repository.url)
