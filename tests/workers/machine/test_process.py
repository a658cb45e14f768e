"""What the agent does about the container that it finds itself in."""

import os
import stat
from pathlib import Path

import pytest

import agent
from machine import process


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may open a folder of root's")
@pytest.mark.parametrize("mode", [0o755, 0o777, 0o1777])
def test_the_folder_for_temporary_files_is_everybodys(tmp_path: Path, mode: int) -> None:
    tmp_path.chmod(mode)
    process.open_temporary_folder(str(tmp_path))
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o1777


@pytest.mark.skipif(os.geteuid() != 0, reason="only root changes anything")
def test_a_link_in_its_place_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir(mode=0o700)
    (tmp_path / "link").symlink_to("there")
    with pytest.raises(OSError, match=r"link"):
        process.open_temporary_folder(str(tmp_path / "link"))
    assert stat.S_IMODE((tmp_path / "there").stat().st_mode) == 0o700


def test_the_agent_opens_the_folder_before_anything_else_runs() -> None:
    source = Path(agent.__file__).with_name("__main__.py").read_text()
    assert source.index("process.open_temporary_folder()") < source.index("PreloadedProcess()")
