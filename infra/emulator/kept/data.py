"""Keep published and configured data on disk, since moto forgets it (FACTS M4).

The data are the bucket's objects and the tables declared ``kept``.
``<table>.jsonl`` holds a table's items, one per line. ``<hash of the key>.json`` describes an
object, and names the file beside it with its bytes. A file is complete before it gets its name, so
that a kill at any moment leaves either the old or the new one.
"""

import asyncio
import contextlib
import hashlib
import json
import os
import secrets
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp

from infra.emulator.console import Console
from infra.emulator.moto.client import Moto, MotoFailed

KEPT_HEADERS = (
    "Content-Type",
    "Content-Encoding",
    "Content-Disposition",
    "Content-Language",
    "Cache-Control",
    "Expires",
)
METADATA_PREFIX = "x-amz-meta-"
SETTLE_SECONDS = 0.05
"""Writes that follow each other within this time make one file."""


class _Keeper:
    """Writes changes one after the other; changes made before it stops are still written."""

    _settle = 0.0
    """Seconds between a change and its writing."""

    def __init__(self, folder: Path, moto: Moto, console: Console) -> None:
        self._folder = folder
        self._moto = moto
        self._console = console
        self._changed: dict[str, None] = {}
        """Tables or keys, in the order of their changes."""
        self._being_written = ""
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Keep all changes from now on."""
        self._task = asyncio.create_task(self._keep())

    async def stop(self) -> None:
        """Write what has not been written yet."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            await self._write_changed()

    def _change(self, names: Iterable[str]) -> None:
        for name in names:
            self._changed[name] = None
            self._wake.set()

    async def _keep(self) -> None:
        while True:
            await self._wake.wait()
            await asyncio.sleep(self._settle)
            self._wake.clear()
            await self._write_changed()

    async def _write_changed(self) -> None:
        while self._changed:
            name = next(iter(self._changed))
            # Remove it before it is read. Later writes must be read again.
            del self._changed[name]
            self._being_written = name
            try:
                await self._write(name)
            except (MotoFailed, aiohttp.ClientError, OSError) as error:
                self._console.say(f"could not keep {name}: {error}")
            except asyncio.CancelledError:
                self._changed[name] = None
                raise
            finally:
                self._being_written = ""

    async def _write(self, name: str) -> None:
        raise NotImplementedError


class KeptTables(_Keeper):
    """The items of the kept tables."""

    _settle = SETTLE_SECONDS

    def __init__(self, folder: Path, tables: Iterable[str], moto: Moto, console: Console) -> None:
        """Create the keeper; ``tables`` are full names."""
        super().__init__(folder, moto, console)
        self._tables = frozenset(tables)

    async def restore(self) -> int:
        """Restore the kept items; return their number."""
        self._folder.mkdir(exist_ok=True)
        count = 0
        for table in self._tables:
            path = self._folder / f"{table}.jsonl"
            if path.exists():
                for line in path.read_text().splitlines():
                    await self._moto.call(
                        "dynamodb", "PutItem", {"TableName": table, "Item": json.loads(line)}
                    )
                    count += 1
        return count

    def written(self, table: str | None) -> None:
        """Note that a table may have changed; None stands for any table."""
        self._change(self._tables if table is None else self._tables & {table})

    async def _write(self, name: str) -> None:
        items = await self._scan(name)
        with _new_file(self._folder / f"{name}.jsonl") as file:
            file.write_text(
                "".join(json.dumps(item, separators=(",", ":")) + "\n" for item in items)
            )

    async def _scan(self, table: str) -> list[Any]:
        items: list[Any] = []
        parameters: dict[str, Any] = {"TableName": table}
        while True:
            page = await self._moto.call("dynamodb", "Scan", parameters)
            items += page["Items"]
            if "LastEvaluatedKey" not in page:
                return items
            parameters["ExclusiveStartKey"] = page["LastEvaluatedKey"]


class KeptObjects(_Keeper):
    """The objects of one bucket."""

    def __init__(
        self, folder: Path, bucket: str, moto: Moto, console: Console, expiring: Iterable[str] = ()
    ) -> None:
        """Create the keeper, which ignores objects below the key prefixes ``expiring``."""
        super().__init__(folder, moto, console)
        self._expiring = tuple(expiring)
        self._bucket = bucket

    async def restore(self) -> int:
        """Restore the kept objects; return their number."""
        self._folder.mkdir(exist_ok=True)
        count = 0
        named: set[str] = set()
        for path in self._folder.glob("*.json"):
            entry = json.loads(path.read_text())
            named |= {path.name, entry["file"]}
            with (self._folder / entry["file"]).open("rb") as data:
                async with self._moto.s3(
                    "PUT", self._path(entry["key"]), headers=entry["headers"], data=data
                ) as response:
                    if response.status != 200:
                        raise MotoFailed(f"restore {entry['key']}: {await response.text()}")
            count += 1
        for path in self._folder.iterdir():
            if path.name not in named:
                path.unlink()  # an unfinished write
        return count

    def changed(self, bucket: str, key: str | None) -> None:
        """Note that an object was written or deleted; None stands for any in the bucket."""
        if bucket == self._bucket and not (key is not None and key.startswith(self._expiring)):
            self._change([key] if key is not None else self._any())

    def _any(self) -> list[str]:
        """Return the keys of all objects that are kept, or just being written."""
        kept = [json.loads(path.read_text())["key"] for path in self._folder.glob("*.json")]
        return kept + ([self._being_written] if self._being_written else [])

    async def _write(self, name: str) -> None:
        entry_path = self._folder / f"{hashlib.sha256(name.encode()).hexdigest()}.json"
        before = json.loads(entry_path.read_text())["file"] if entry_path.exists() else None
        async with self._moto.s3("GET", self._path(name)) as response:
            if response.status != 200:
                entry_path.unlink(missing_ok=True)
            else:
                data_path = entry_path.with_suffix(f".{secrets.token_hex(4)}")
                with _new_file(data_path) as unfinished, unfinished.open("wb") as file:
                    async for chunk in response.content.iter_chunked(1 << 18):
                        file.write(chunk)
                headers = {
                    header: value
                    for header, value in response.headers.items()
                    if header in KEPT_HEADERS or header.lower().startswith(METADATA_PREFIX)
                }
                entry = {"key": name, "file": data_path.name, "headers": headers}
                with _new_file(entry_path) as unfinished:
                    unfinished.write_text(json.dumps(entry))
        if before is not None:
            (self._folder / before).unlink(missing_ok=True)

    def _path(self, key: str) -> str:
        return f"/{self._bucket}/{quote(key)}"


@contextlib.contextmanager
def _new_file(path: Path) -> Iterator[Path]:
    """Yield a path to write to, which gets its name at the end of the context."""
    unfinished = path.with_name(f"{path.name}.new")
    yield unfinished
    os.replace(unfinished, path)  # noqa: PTH105  (what it is, said as it is)
