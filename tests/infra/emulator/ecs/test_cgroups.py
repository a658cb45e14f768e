"""The control groups of tasks, in folders that look like the kernel's."""

import os
import subprocess
from pathlib import Path

import pytest

from infra.emulator.ecs import cgroups
from infra.emulator.ecs.cgroups import ControlGroups


@pytest.fixture
def scope(tmp_path: Path) -> Path:
    """A group that was delegated to this process, which is alone in it."""
    scope = tmp_path / "user.slice" / "sheen.scope"
    scope.mkdir(parents=True)
    (scope / "cgroup.controllers").write_text("cpu memory pids\n")
    (scope / "cgroup.type").write_text("domain\n")
    (scope / "cgroup.procs").write_text(f"{os.getpid()}\n")
    (tmp_path / "cgroup").write_text("0::/user.slice/sheen.scope\n")
    return scope


def found(tmp_path: Path) -> ControlGroups | str:
    return cgroups.find(tmp_path, tmp_path / "cgroup")


def test_a_task_has_the_memory_of_its_size_and_all_that_it_starts_is_in_it(
    scope: Path, tmp_path: Path
) -> None:
    groups = found(tmp_path)
    assert isinstance(groups, ControlGroups)
    assert (scope / "emulator" / "cgroup.procs").read_text() == str(os.getpid())
    assert (scope / "cgroup.subtree_control").read_text() == "+memory +pids"
    group = groups.make("abc", 512)
    folder = scope / "task-abc"
    assert (folder / "memory.max").read_text() == str(512 * 1024**2)
    assert (folder / "pids.max").read_text() == "4096"
    said = subprocess.run(
        group.command(["/bin/sh", "-c", 'echo $$ "$@"', "sh", "a b", "c"]),
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert said == f"{(folder / 'cgroup.procs').read_text().strip()} a b c\n"
    group.end()
    assert (folder / "cgroup.kill").read_text() == "1"


def test_why_there_are_none_is_told(scope: Path, tmp_path: Path) -> None:
    (scope / "cgroup.procs").write_text(f"1\n{os.getpid()}\n")
    assert "other processes" in str(found(tmp_path))
    (scope / "cgroup.controllers").write_text("pids\n")
    assert "no controller for memory" in str(found(tmp_path))
    (scope / "cgroup.controllers").unlink()
    assert "no control groups can be made (No such file" in str(found(tmp_path))
    (tmp_path / "cgroup").write_text("4:memory:/x\n")
    assert "version 2" in str(found(tmp_path))
