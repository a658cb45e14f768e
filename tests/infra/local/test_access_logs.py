"""Lines of access logs come into the files that the configuration names, and no others."""

from __future__ import annotations

import json
import os
from collections.abc import Collection
from pathlib import Path

import pytest

from infra.local.access_logs import MODE, AccessLogFiles


def line(path: Path | str, text: str, of: str = "1") -> str:
    return json.dumps({"access_log": str(path), "configuration": of, "line": text}) + "\n"


async def test_lines_go_to_the_files_that_their_configuration_names(tmp_path: Path) -> None:
    log, access, other = tmp_path / "f.log", tmp_path / "access.log", tmp_path / "other.log"
    asked: list[str] = []
    said: list[str] = []

    async def named(configuration: str) -> Collection[str]:
        asked.append(configuration)
        return {"1": [str(access), "/nowhere/x.log"]}.get(configuration, [])

    log.write_text(line(access, "of before"))
    files = AccessLogFiles([log, tmp_path / "never.log"], named, said.append)
    await files.copy()
    assert not access.exists()
    with log.open("a") as out:
        out.write(line(access, "one") + '{"level": "INFO"}\n' + line(other, "forged"))
        out.write('no json with "access_log"\n' + line(access, "of no one", of="9"))
        out.write(line(access, "two ü") + line(access, "three")[:20])
    await files.copy()
    assert access.read_text() == "one\ntwo ü\n"
    assert not other.exists()
    assert access.stat().st_mode & 0o777 == MODE & ~_umask()
    assert sorted(asked) == ["1", "9"]
    access.rename(tmp_path / "access.log.1")
    with log.open("a") as out:
        out.write(line(access, "three")[20:])
        out.write(line("/nowhere/x.log", "a") + line("/nowhere/x.log", "b"))
    await files.copy()
    await files.copy()
    assert access.read_text() == "three\n", "rotation moves the file, and lines go to a new one"
    log.write_text("")
    await files.copy()
    log.write_text(line(access, "four"))
    await files.stop()
    assert access.read_text() == "three\nfour\n"
    assert said == ["access_log /nowhere/x.log: cannot write to it: No such file or directory"]


async def test_a_link_is_not_followed(tmp_path: Path) -> None:
    log, access, secret = tmp_path / "f.log", tmp_path / "access.log", tmp_path / "secret"
    access.symlink_to(secret)

    async def named(configuration: str) -> Collection[str]:
        return [str(access)]

    said: list[str] = []
    files = AccessLogFiles([log], named, said.append)
    log.write_text(line(access, "one"))
    await files.copy()
    assert not secret.exists()
    assert len(said) == 1


async def test_standard_output_is_as_it_is(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "f.log"

    async def named(configuration: str) -> Collection[str]:
        return ["/dev/stdout"]

    files = AccessLogFiles([log], named, lambda said: None)
    log.write_text(line("/dev/stdout", "one"))
    await files.copy()
    assert "one\n" in capfd.readouterr().out


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
