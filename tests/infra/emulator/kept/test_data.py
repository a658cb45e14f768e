"""What is deleted while it is being kept does not come back."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from infra.emulator.kept.data import KeptObjects
from tests.support.waiting import eventually


class SlowMoto:
    """Has one object, whose content comes when it is let through."""

    def __init__(self) -> None:
        self.there = True
        self.asked = asyncio.Event()
        self.times_asked = 0
        self.let_through = asyncio.Event()

    @asynccontextmanager
    async def s3(self, method: str, path: str) -> AsyncIterator[Any]:
        self.times_asked += 1

        async def chunks(size: int) -> AsyncIterator[bytes]:
            self.asked.set()
            await self.let_through.wait()
            yield b"x"

        content = SimpleNamespace(iter_chunked=chunks)
        yield SimpleNamespace(status=200 if self.there else 404, content=content, headers={})


def kept_keys(folder: Path) -> list[Path]:
    """Return the entries of the objects that are kept."""
    return list(folder.glob("*.json"))


async def test_an_object_that_goes_with_others_while_it_is_written_is_not_kept(
    tmp_path: Path,
) -> None:
    moto: Any = SlowMoto()
    console: Any = None
    kept = KeptObjects(tmp_path, "bucket", moto, console)
    kept.start()
    kept.changed("bucket", "gone/too")
    await moto.asked.wait()
    moto.there = False
    kept.changed("bucket", None)
    moto.let_through.set()
    await eventually(lambda: moto.times_asked == 2 or bool(kept_keys(tmp_path)), what="the end")
    await kept.stop()
    assert not kept_keys(tmp_path)
