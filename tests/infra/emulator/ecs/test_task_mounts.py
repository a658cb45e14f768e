"""A task has those folders of the file system that it declares, and no others."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from infra.declared import DECLARED, ROOTS
from infra.declared import Mount as Declared
from infra.emulator.ecs import task_mounts
from infra.emulator.ecs.definition import TaskMount

needs_mounts = pytest.mark.skipif(
    not task_mounts.can_mount(), reason="takes root, and a machine that lets it mount"
)
TASKS = {task.name: task for task in DECLARED.task_definitions}


def run(efs: Path, mounts: tuple[Declared, ...], code: str) -> str:
    these = [TaskMount(*mount) for mount in mounts]
    argv = task_mounts.command(efs, these, efs.parent, [sys.executable, "-c", code, str(efs)])
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout.strip()


TRIES = """
import os, sys
from pathlib import Path
efs = Path(sys.argv[1])
print(sorted(os.listdir(efs)), os.getcwd() == str(efs.parent))
for root in sorted(os.listdir(efs)):
    try:
        (efs / root / "written").write_text("x")
    except OSError as error:
        print(root, error.strerror)
try:
    (efs / "other").mkdir()
except OSError as error:
    print("top", error.strerror)
"""


@needs_mounts
def test_it_sees_what_it_declares_and_writes_only_what_it_may(tmp_path: Path) -> None:
    efs = tmp_path / "e f s"
    task_mounts.make_roots(efs, ROOTS)
    (efs / "data" / "victim").mkdir()
    said = run(efs, (Declared("apps"), Declared("synced", write=True)), TRIES).splitlines()
    assert said == [
        "['apps', 'synced'] True",
        "apps Read-only file system",
        "top Read-only file system",
    ]
    assert [path.name for path in efs.rglob("written")] == ["written"]
    assert (efs / "synced" / "written").exists()


@needs_mounts
def test_a_builds_link_to_the_packages_leads_there_and_what_it_unpacks_gets_its_place_by_a_rename(
    tmp_path: Path,
) -> None:
    efs = tmp_path / "efs"
    task_mounts.make_roots(efs, ROOTS)
    code = """
import os, sys
from pathlib import Path
efs = Path(sys.argv[1])
(efs / "packages/p").mkdir()
(efs / "apps/.incoming").mkdir()
(efs / "apps/.incoming/x").mkdir()
(efs / "apps/app").mkdir()
(efs / "apps/.incoming/x").rename(efs / "apps/app/v1")
(efs / "apps/app/v1.library").symlink_to("../../packages/p")
print((efs / "apps/app/v1.library").is_dir())
"""
    assert run(efs, TASKS["build"].mounts, code) == "True"
    assert (efs / "apps/app/v1").is_dir()


def test_no_task_has_more_than_it_needs() -> None:
    writes = {
        name: {mount.root for mount in task.mounts if mount.write} for name, task in TASKS.items()
    }
    reads = {
        name: {mount.root for mount in task.mounts if not mount.write}
        for name, task in TASKS.items()
    }
    for name in (name for name in TASKS if name.startswith("agent_")):
        assert writes[name] == {"data", "bookmarks", "homes", "synced", "trees"}, (
            "the code of apps and their packages are not an agent's to change"
        )
        assert reads[name] == {"apps", "packages", "syncs"}
    assert (writes["build"], reads["build"]) == ({"apps", "packages"}, set())
    assert (writes["script"], reads["script"]) == (set(), {"apps", "packages"})
    assert (writes["copy"], reads["copy"]) == ({"synced", "syncs"}, set())
    assert (writes["remove"], reads["remove"]) == ({"apps", "data", "bookmarks"}, set())
    assert {mount.root for task in TASKS.values() for mount in task.mounts} <= {
        root.name for root in ROOTS
    }


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_folders_that_are_there_keep_their_modes(tmp_path: Path) -> None:
    (tmp_path / "apps").mkdir()
    (tmp_path / "apps").chmod(0o700)
    task_mounts.make_roots(tmp_path, ROOTS)
    assert (tmp_path / "apps").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "data").stat().st_mode & 0o777 == 0o711
