"""Many builds and one cache: an entry is there whole or not at all, whoever is killed when."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from tasks.packages.cache import Cache
from tests.support.cran import Cran, SourcePackage, renv_lock
from tests.support.waiting import until

FILES = 300
KEEP = """
import os, sys
from pathlib import Path
from machine.untrusted import Folder
from tasks.packages.cache import Cache
cache = Cache(Path(sys.argv[1]), "R")
sys.stdout.write("ready\\n"); sys.stdout.flush()
for number in range(int(sys.argv[3])):
    with Folder.at(Path(sys.argv[2])) as package:
        cache.keep(f"some/{number}", package, os.geteuid())
"""
BUILD = """
import sys, uuid
from pathlib import Path
from chalicelib.configuration.app_settings import AppSettings
from tasks.packages import locks, restore
from tasks.build_log import BuildLog
from chalicelib.configuration.repositories import Repositories
efs, name, url = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
app = efs / name
place = restore.LibraryFolders(efs / "packages", efs / uuid.uuid4().hex, efs / "apps" / name / "v1.library")
lock = locks.find(app)
with BuildLog(lambda text: (efs / f"{name}.log").write_bytes(text), lambda error: None, every=0.1) as log:
    made = restore.restore(lock, place, Repositories.parse(url), AppSettings(), log, lambda told: None)
place.making.rename(place.final)
"""  # noqa: E501


def start(script: str, *arguments: object) -> subprocess.Popen[str]:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.Popen(
        [sys.executable, "-c", script, *map(str, arguments)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def some_package(folder: Path) -> Path:
    for number in range(FILES):
        path = folder / f"some/sub{number % 7}/file{number}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{number}" * 100)
    return folder / "some"


def content(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_an_entry_is_whole_whenever_its_builder_is_killed(tmp_path: Path) -> None:
    package = some_package(tmp_path)
    whole = content(package)
    cache = Cache(tmp_path / "packages", "R")
    cache.prepare()
    killed = 0
    for moment in (0.01, 0.05, 0.1, 0.2, 0.3, 0.4):
        builder = start(KEEP, cache.folder, package, 1000)
        assert builder.stdout is not None
        assert builder.stdout.readline() == "ready\n"
        time.sleep(moment)
        builder.send_signal(signal.SIGKILL)
        killed += builder.wait() == -signal.SIGKILL
        for entry in (cache.folder / "R" / "some").glob("*"):
            assert content(entry / "some") == whole
    assert killed
    left = len(list(cache.incoming.iterdir()))
    for old in cache.incoming.iterdir():
        os.utime(old, (0, 0))
    cache.prepare()
    assert list(cache.incoming.iterdir()) == [], f"{left} were left"


def test_of_many_who_keep_the_same_entry_one_does_and_all_have_it(tmp_path: Path) -> None:
    package = some_package(tmp_path)
    cache = Cache(tmp_path / "packages", "R")
    cache.prepare()
    builders = [start(KEEP, cache.folder, package, 5) for _ in range(4)]
    assert [builder.wait(60) for builder in builders] == [0] * 4
    assert sorted(path.name for path in (cache.folder / "R" / "some").iterdir()) == [
        "0",
        "1",
        "2",
        "3",
        "4",
    ]
    assert list(cache.incoming.iterdir()) == []
    assert all(
        content(entry / "some") == content(package)
        for entry in (cache.folder / "R" / "some").iterdir()
    )


def test_builds_at_once_and_one_killed_while_it_compiles_share_the_cache(
    open_folder: Path, repository: Cran
) -> None:
    efs = open_folder / "efs-of-cache"
    go = efs / "go"
    waits = f"#!/bin/sh\nwhile [ ! -e {go} ]; do sleep 0.1; done\n"
    repository.add(
        SourcePackage("waits", "1.0", r="waited <- function() TRUE", files={"configure": waits})
    )
    repository.add(SourcePackage("beside", "1.0", r="b <- function() TRUE"))
    for name in ("first", "second", "killed"):
        (efs / name).mkdir(parents=True)
        (efs / "apps" / name).mkdir(parents=True)
        (efs / name / "renv.lock").write_text(
            json.dumps(renv_lock(("waits", "1.0"), ("beside", "1.0")))
        )
    efs.chmod(0o755)
    builds = {
        name: start(BUILD, efs, name, repository.url) for name in ("first", "second", "killed")
    }

    def compiling(name: str) -> bool:
        log = efs / f"{name}.log"
        return log.exists() and "waits 1.0| * installing *source* package" in log.read_text()

    for name in builds:
        until(lambda name=name: compiling(name), 60, f"{name} to compile")  # type: ignore[misc]
    builds["killed"].kill()
    builds["killed"].wait()
    go.touch()
    for name in ("first", "second"):
        assert builds[name].wait(60) == 0, builds[name].stdout
        library = efs / "apps" / name / "v1.library"
        assert sorted(path.name for path in library.iterdir()) == ["beside", "waits"]
        assert all((path / "DESCRIPTION").is_file() for path in library.iterdir())
    entries = list((efs / "packages").glob("R-*/waits/*"))
    assert len(entries) == 1
    assert not (efs / "apps" / "killed" / "v1.library").exists()
    again = start(BUILD, efs, "killed", repository.url)
    assert again.wait(60) == 0
    assert "from the cache: beside, waits" in (efs / "killed.log").read_text()
    assert list((efs / "packages").glob("R-*/waits/*")) == entries
