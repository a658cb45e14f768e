"""The end of a process is noticed."""

import asyncio
import errno
import os
import subprocess

import pytest

from agent.processes import r_process


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
