"""What an author's package can do while it is installed: nothing to anyone else, and nothing
afterwards.
"""

import os
import subprocess
import time
from pathlib import Path

import pytest

from machine.untrusted import Unsafe
from tasks.packages.cache import Cache
from tasks.packages.errors import NotInstalled
from tasks.packages.freeze import freeze, stays_inside
from tasks.sandbox import UNIX_IDS, Sandbox, sandbox
from tests.support.waiting import until

PLAIN = {"PATH": "/usr/bin:/bin"}
only_root = pytest.mark.skipif(
    os.geteuid() != 0, reason="only root can give a build a user of its own"
)


def run(box: Sandbox, script: str, patience: float = 30.0) -> tuple[int, list[str]]:
    said: list[str] = []
    return box.run(["sh", "-c", script], PLAIN, said.append, patience), said


def running(unix_id: int) -> list[str]:
    """Command lines of this user's processes; one that has ended and that its parent has yet to see
    has none.
    """
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if entry.stat().st_uid == unix_id and (command := (entry / "cmdline").read_text()):
                    found.append(command)
            except OSError:
                continue
    return found


def test_its_environment_is_what_it_was_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary")
    monkeypatch.setenv("SHEEN_TASK_TOKEN", "canary")
    with sandbox() as box:
        code, said = run(box, "env; pwd")
        assert code == 0
        assert {line.split("=")[0] for line in said[:-1]} <= {"PATH", "PWD", "OLDPWD", "_", "SHLVL"}
        assert said[-1] == str(box.folder)


@only_root
def test_it_is_nobody_else_and_can_become_nobody_else() -> None:
    with sandbox() as one, sandbox() as other:
        assert one.unix_id != other.unix_id
        assert {one.unix_id, other.unix_id} <= set(UNIX_IDS)
        _, said = run(
            one,
            "id -u; id -G; grep -E 'CapEff|CapBnd|NoNewPrivs' /proc/self/status; ls "
            f"{other.folder} 2>&1; ls -d {one.folder}",
        )
        assert said[:2] == [str(one.unix_id)] * 2
        assert {line.split()[0]: int(line.split()[1], 16) for line in said[2:5]} == {
            "CapBnd:": 0,
            "CapEff:": 0,
            "NoNewPrivs:": 1,
        }
        assert "Permission denied" in said[5]
        assert said[6] == str(one.folder)


@only_root
def test_it_reads_no_apps_files_and_no_other_process(open_folder: Path) -> None:
    version = open_folder / "app.R"
    version.write_text("secret")
    version.chmod(0o640)
    with sandbox() as box:
        _, said = run(
            box,
            f"cat {version} 2>&1; cat /proc/{os.getpid()}/environ 2>&1; kill -0 {os.getpid()} 2>&1",
        )
    assert [line.rpartition(": ")[2] for line in said if line] == [
        "Permission denied",
        "Permission denied",
        "Operation not permitted",
    ]


@only_root
def test_what_it_leaves_running_is_ended_wherever_it_went() -> None:
    with sandbox() as box:
        assert box.unix_id is not None
        code, _ = run(
            box,
            "setsid setsid sleep 1000 >/dev/null 2>&1 & (trap '' TERM HUP; sleep 1001) & exit 3",
        )
        assert code == 3
        until(lambda: not running(box.unix_id or 0), 10, "all of it to be gone")


def test_it_has_a_limit_on_time_and_so_has_what_holds_its_output_open() -> None:
    with sandbox() as box:
        started = time.monotonic()
        with pytest.raises(TimeoutError):
            run(box, "sleep 500 & sleep 600", patience=0.5)
        assert time.monotonic() - started < 60


def test_its_folder_is_gone_afterwards_however_deep() -> None:
    with sandbox() as box:
        run(box, "i=0; while [ $i -lt 1500 ]; do mkdir d && cd d || exit 1; i=$((i+1)); done")
        folder = box.folder
        assert (folder / "d/d/d").is_dir()
    assert not folder.exists()


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("ln -s /etc/passwd p/data", "a link out of the package"),
        ("ln -s ../../x p/data", "a link out of the package"),
        ("ln -s $PWD/p/DESCRIPTION p/data", "a link out of the package"),
        (
            "mkdir -p p/x/y/z && ln -s ../.. p/x/y/z/b && ln -s x/y/z/b/../../evil p/data",
            "a link out of the package",
        ),
        ("ln -s data p/data", "a link out of the package"),
        ("mkfifo p/data", "neither file nor folder"),
        ("cd p && for i in $(seq 1500); do mkdir d && cd d || exit 1; done", "is deeper than"),
    ],
)
def test_what_is_no_file_does_not_get_into_a_cache(script: str, why: str, tmp_path: Path) -> None:
    cache = Cache(tmp_path / "packages", "R")
    cache.prepare()
    with sandbox() as box:
        assert run(box, f"mkdir p && echo Package: p > p/DESCRIPTION && {script}")[0] == 0
        with box.open("p") as package, pytest.raises(NotInstalled, match=why):
            cache.keep("p/1.0-x", package, box.owner)
    assert not cache.use("p/1.0-x")
    assert list(cache.incoming.iterdir()) == []


@only_root
def test_a_file_that_is_anothers_is_not_taken_for_its_own(tmp_path: Path) -> None:
    with sandbox() as box:
        run(box, "mkdir p && echo x > p/DESCRIPTION")
        secret = box.folder / "p" / "secret"
        secret.write_text("of root")  # as a hard link to one would be
        with (
            box.open("p") as package,
            pytest.raises(NotInstalled, match='"secret" in it is not its own file'),
        ):
            freeze(package, tmp_path / "p", box.owner)


def test_modes_are_everyones_to_read_and_nobodys_to_write(tmp_path: Path) -> None:
    with sandbox() as box:
        run(
            box,
            "umask 000; mkdir -m 777 p && touch p/a && install -m 6777 /dev/null p/run "
            "&& ln -s a p/b && mkdir -m 700 p/c && touch p/c/d",
        )
        with box.open("p") as package:
            freeze(package, tmp_path / "p", box.owner)
    found = subprocess.run(
        ["find", ".", "-printf", "%p %m %l\n"],
        cwd=tmp_path / "p",
        capture_output=True,
        text=True,
        check=True,
    )
    assert sorted(found.stdout.splitlines()) == [
        ". 755 ",
        "./a 644 ",
        "./b 777 a",
        "./c 755 ",
        "./c/d 644 ",
        "./run 755 ",
    ]


@pytest.mark.parametrize("script", ["ln -s / p", "mkfifo p", "rmdir made && ln -s / made"])
def test_what_a_package_puts_in_a_folders_place_is_not_entered(script: str) -> None:
    with sandbox() as box:
        box.make("made")
        run(box, script)
        name = "made" if "made" in script else "p"
        with pytest.raises(Unsafe):
            box.open(name)


@only_root
def test_it_cannot_write_where_it_is_given_things() -> None:
    with sandbox() as box:
        (box.given / "requirements.txt").write_text("the task's own")
        (box.given / "requirements.txt").chmod(0o600)
        _, said = run(
            box,
            f"cd {box.given}; rm -f requirements.txt; ln -s /etc/passwd other; mv box "
            "elsewhere; cat requirements.txt",
        )
        assert said[-1] != "the task's own", "it is the task's until it is given, by its mode"
        assert (box.given / "requirements.txt").read_text() == "the task's own"
        assert sorted(path.name for path in box.given.iterdir()) == ["box", "requirements.txt"]


def test_a_chain_of_links_inside_a_package_is_taken() -> None:
    links = {
        "lib/libx.so": "libx.so.1",
        "lib/libx.so.1": "../real/libx.so.1.2",
        "deep/again": "./../lib/libx.so",
    }
    assert all(stays_inside(path, links) for path in links)


def test_programs_of_root_see_none_of_an_authors_variables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They read message catalogues, loaders' paths and the like by such."""
    seen = tmp_path / "seen"
    watched = tmp_path / "setpriv"
    watched.write_text(f'#!/bin/sh\nenv > {seen}\nexec /usr/bin/setpriv "$@"\n')
    watched.chmod(0o755)
    monkeypatch.setattr("machine.unprivileged._SETPRIV", str(watched))
    said: list[str] = []
    with sandbox() as box:
        environment = {"PATH": "/usr/bin:/bin", "LANGUAGE": "../../../evil", "TWO_LINES": "a\nb=c"}
        assert (
            box.run(
                ["sh", "-c", 'echo "$LANGUAGE"; echo "$TWO_LINES"'], environment, said.append, 30.0
            )
            == 0
        )
    assert said == ["../../../evil", "a", "b=c"]
    assert "evil" not in seen.read_text()
