"""install.sh takes R's packages from Debian, or from a repository that it is told."""

import os
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

TREE = Path(__file__).resolve().parents[2]
INSTALL = TREE / "workers" / "install.sh"
PACKAGES = TREE / "workers" / "r" / "packages.R"
WANTED = ("shiny", "Cairo", "rmarkdown", "DBI", "odbc")


class Machine:
    """A machine on which nothing is installed, and which writes down what it is asked to
    install.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.calls = folder / "calls"
        self.calls.touch()
        programs = folder / "bin"
        programs.mkdir()
        lists = f"if [ $# -gt 3 ]; then exit 1; fi; cat {folder}/installed"
        for name, does in {
            "apt-get": (
                f'echo "apt-get $*" >> {self.calls}; case "$*" in *libcairo2-dev*) echo g++ '
                f">> {folder}/installed;; esac"
            ),
            "dpkg-query": lists,
            "Rscript": f'echo "Rscript $*" >> {self.calls}',
            "id": "echo 0",
        }.items():
            (programs / name).write_text(f"#!/bin/sh\n{does}\n")
            (programs / name).chmod(0o755)
        (folder / "installed").write_text("libc6\n")
        self.environment = {"PATH": f"{programs}:{os.environ['PATH']}"}

    def install(self, *arguments: str) -> list[str]:
        subprocess.run(
            [str(INSTALL), *arguments], env=self.environment, check=True, capture_output=True
        )
        return self.calls.read_text().splitlines()


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_without_a_repository_all_comes_from_debian(machine: Machine) -> None:
    calls = machine.install("locales")
    assert len(calls) == 2 and calls[0].endswith("update")
    for package in (
        "r-cran-shiny",
        "r-cran-rodbc",
        "odbc-postgresql",
        "libsqliteodbc",
        "tdsodbc",
        "locales",
    ):
        assert f" {package}" in calls[1]
    assert "g++" not in calls[1] and "unixodbc-dev" not in calls[1]


def test_the_image_has_the_fonts_that_its_build_argument_names(machine: Machine) -> None:
    lines = (TREE / "workers" / "Dockerfile").read_text().replace("\\\n", " ").splitlines()
    assert 'ARG FONTS=""' in lines
    commands = [
        command.strip()
        for line in lines
        if line.startswith("RUN ")
        for command in line[4:].split("&&")
    ]
    install = next(
        command for command in commands if "install.sh" in command and "$FONTS" in command
    )
    script = install.replace("/usr/local/lib/sheen/workers/install.sh", str(INSTALL))
    for fonts, wanted in (("fonts-noto-cjk fonts-wqy-microhei", True), ("", False)):
        machine.calls.write_text("")
        variables = machine.environment | {"FONTS": fonts, "R_REPOSITORY": ""}
        subprocess.run(["bash", "-euc", script], env=variables, check=True, capture_output=True)
        installed = machine.calls.read_text().splitlines()[1].split()
        assert ({"fonts-noto-cjk", "fonts-wqy-microhei"} <= set(installed)) is wanted
        assert {"fonts-dejavu-core", "locales"} <= set(installed)


def test_with_a_repository_r_packages_come_from_there_and_compilers_go_again(
    machine: Machine,
) -> None:
    calls = machine.install("--repository", "https://r.example.org")
    assert not [call for call in calls if "r-cran-" in call]
    assert [call.split()[0] for call in calls] == [
        "apt-get",
        "apt-get",
        "apt-get",
        "Rscript",
        "apt-get",
    ]
    assert calls[3].endswith(f"{PACKAGES} https://r.example.org")
    assert calls[4].endswith("purge g++")


def test_compilers_stay_for_builds(machine: Machine) -> None:
    calls = machine.install("--builds", "--repository", "https://r.example.org")
    assert " unixodbc-dev" in calls[1] and " g++ " in calls[1]
    assert not [call for call in calls if "purge" in call]


@pytest.fixture
def repository(tmp_path: Path) -> Iterator[Path]:
    """A CRAN-like repository with packages of these names, and nothing in them."""
    folder = tmp_path / "cran" / "src" / "contrib"
    folder.mkdir(parents=True)
    entries = []
    for name in WANTED:
        source = tmp_path / name
        source.mkdir()
        description = (
            f"Package: {name}\nVersion: 9.9.9\nTitle: T\nDescription: D.\n"
            "Author: A\nMaintainer: A <a@example.org>\nLicense: MIT\n"
        )
        (source / "DESCRIPTION").write_text(description)
        (source / "NAMESPACE").write_text("")
        with tarfile.open(folder / f"{name}_9.9.9.tar.gz", "w:gz") as archive:
            archive.add(source, name)
        entries.append(f"Package: {name}\nVersion: 9.9.9\n")
    (folder / "PACKAGES").write_text("\n".join(entries))
    yield tmp_path / "cran"


def test_r_installs_and_loads_each_package_from_the_repository(
    repository: Path, tmp_path: Path
) -> None:
    library = tmp_path / "library"
    subprocess.run(
        ["Rscript", "--vanilla", str(PACKAGES), f"file://{repository}", str(library)],
        check=True,
        capture_output=True,
    )
    versions = {
        path.parent.name: path.read_text().partition("Version: ")[2][:5]
        for path in library.glob("*/DESCRIPTION")
    }
    assert versions == dict.fromkeys(WANTED, "9.9.9")


def test_a_repository_that_lacks_a_package_is_said_so(repository: Path, tmp_path: Path) -> None:
    index = repository / "src" / "contrib" / "PACKAGES"
    index.write_text(
        "\n\n".join(entry for entry in index.read_text().split("\n\n") if "odbc" not in entry)
    )
    result = subprocess.run(
        ["Rscript", "--vanilla", str(PACKAGES), f"file://{repository}", str(tmp_path / "library")],
        check=False,
        capture_output=True,
        text=True,
    )
    assert result.returncode != 0
    assert "has no odbc" in result.stderr
