"""A copy of a log goes into the file that was made for it, and nowhere else."""

import os
import stat
from pathlib import Path

import pytest

from infra.emulator.logs.copies import Copy


def test_lines_are_in_a_file_with_its_name_and_mode(tmp_path: Path) -> None:
    copy = Copy(tmp_path, "hello-shiny-20261130-170000-0.1.log", 0o604)
    copy.append(["one", "zwei ü"])
    copy.append([])
    copy.append(["three\nfour"])
    path = tmp_path / copy.name
    assert path.read_text() == "one\nzwei ü\nthree\nfour\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o604
    copy.remove()
    assert not list(tmp_path.iterdir())
    copy.remove()


def test_a_name_that_is_taken_is_left_alone(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("mine")
    (tmp_path / "a.log").symlink_to(victim)
    (tmp_path / "a-2.log").symlink_to(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "a-3.log")
    copy = Copy(tmp_path, "a.log", 0o640)
    copy.append(["x"])
    assert (copy.name, (tmp_path / "a-4.log").read_text()) == ("a-4.log", "x\n")
    assert victim.read_text() == "mine"
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("instead", ["link", "fifo", "file", "hard link", "nothing"])
def test_a_file_that_was_exchanged_is_neither_written_nor_removed(
    tmp_path: Path, instead: str
) -> None:
    victim, path = tmp_path / "victim", tmp_path / "a.log"
    victim.write_text("mine")
    copy = Copy(tmp_path, "a.log", 0o640)
    copy.append(["x"])
    path.rename(tmp_path / "rotated")
    match instead:
        case "link":
            path.symlink_to(victim)
        case "fifo":
            os.mkfifo(path)
        case "file":
            path.write_text("another's")
        case "hard link":
            path.hardlink_to(victim)
    copy.append(["y"])
    assert (tmp_path / "rotated").read_text() == "x\n"
    assert victim.read_text() == "mine"
    assert (tmp_path / copy.name).read_text() == "y\n"
    assert copy.name == ("a.log" if instead == "nothing" else "a-2.log")
    copy.remove()
    assert path.exists() or path.is_symlink() or instead == "nothing"


def test_a_folder_is_not_reached_by_a_link_that_another_user_may_have_made(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    copy = Copy(tmp_path / "link", "a.log", 0o640)
    copy.append(["x"])
    tmp_path.chmod(0o777)
    with pytest.raises(OSError):
        copy.append(["y"])
    tmp_path.chmod(0o700)
    assert (tmp_path / "real" / "a.log").read_text() == "x\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_file_may_belong_to_the_apps_user(tmp_path: Path) -> None:
    copy = Copy(tmp_path, "a.log", 0o600, (271_828, 271_829))
    copy.append(["x"])
    status = (tmp_path / "a.log").stat()
    assert (status.st_uid, status.st_gid) == (271_828, 271_829)
