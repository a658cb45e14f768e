"""What the agent does about the container that it finds itself in."""

import asyncio
import errno
import os
import stat
import subprocess
from pathlib import Path

import pytest

from agent.processes import process, r_process


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


@pytest.mark.parametrize("refusal", [None, errno.ENOSYS, errno.EPERM])
async def test_the_end_of_a_process_is_noticed_also_where_the_kernel_does_not_tell(
    monkeypatch: pytest.MonkeyPatch, refusal: int | None
) -> None:
    def refuse(_pid: int) -> int:
        assert refusal is not None
        raise OSError(refusal, os.strerror(refusal))

    if refusal is not None:
        monkeypatch.setattr(os, "pidfd_open", refuse)
    child = subprocess.Popen(["/bin/cat"], stdin=subprocess.PIPE)  # noqa: ASYNC220  (asyncio would reap it)
    waiting = asyncio.create_task(r_process.end_of(child.pid))
    done, _ = await asyncio.wait({waiting}, timeout=0.3)
    assert not done
    assert child.stdin is not None
    child.stdin.close()
    await asyncio.wait_for(waiting, 20)
    assert child.poll() == 0, "it was left to be reaped"
    await asyncio.wait_for(r_process.end_of(child.pid), 20)


def test_the_agent_opens_the_folder_before_anything_else_runs() -> None:
    source = Path(process.__file__).parents[1].joinpath("__main__.py").read_text()
    assert source.index("process.open_temporary_folder()") < source.index("Preloaded()")
