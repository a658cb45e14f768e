"""Access logs as files: lines in functions' logs go where the configuration's `access_log` says.

A file is opened anew for each batch of lines, so log rotation may move it at any time.
"""

import asyncio
import contextlib
import json
import os
from collections.abc import Awaitable, Callable, Collection, Sequence
from pathlib import Path
from typing import Any

from chalicelib.configuration.applied import Applied, Content
from chalicelib.configuration.errors import ConfigurationLost
from chalicelib.configuration.keys import applied_key
from chalicelib.visits.logging_visits import named
from infra.emulator.moto.client import Moto

EVERY_SECONDS = 0.5
MODE = 0o640
_STANDARD = {"/dev/stdout": 1, "/dev/stderr": 2}
_MARK = b'"access_log"'


class AccessLogFiles:
    """Follows functions' logs."""

    def __init__(
        self,
        logs: Sequence[Path],
        named: Callable[[str], Awaitable[Collection[str]]],
        say: Callable[[str], None],
    ) -> None:
        """``named`` returns the files that a configuration with this id names."""
        self._ends = {log: log.stat().st_size if log.exists() else 0 for log in logs}
        self._named = named
        self._say = say
        self._known: dict[str, Collection[str]] = {}
        self._refused: set[str] = set()
        self._loop: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._loop = asyncio.create_task(self._follow())

    async def stop(self) -> None:
        """End, after the last lines."""
        if self._loop is not None:
            self._loop.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._loop
        with contextlib.suppress(OSError):
            await self.copy()

    async def copy(self) -> None:
        """Write the lines that have come since the last time."""
        batches: dict[str, list[str]] = {}
        for log in self._ends:
            for line in self._new(log):
                for path, text in await self._of(line):
                    batches.setdefault(path, []).append(text)
        for path, lines in batches.items():
            self._append(path, "".join(f"{line}\n" for line in lines))

    async def _follow(self) -> None:
        while True:
            await asyncio.sleep(EVERY_SECONDS)
            await self.copy()

    def _new(self, log: Path) -> list[bytes]:
        """Return the whole lines that have come; a log that was emptied begins anew."""
        if not log.exists():
            return []
        begin = self._ends[log]
        with log.open("rb") as file:
            if begin > os.fstat(file.fileno()).st_size:
                begin = 0
            file.seek(begin)
            new = file.read()
        whole = new[: new.rfind(b"\n") + 1]
        self._ends[log] = begin + len(whole)
        return [line for line in whole.splitlines() if _MARK in line]

    async def _of(self, line: bytes) -> list[tuple[str, str]]:
        """Return a line with its file, if its configuration does name that file."""
        found = _read(line)
        if found is None:
            return []
        configuration, path, text = found
        if configuration not in self._known:
            self._known[configuration] = await self._named(configuration)
        return [(path, text)] if path in self._known[configuration] else []

    def _append(self, path: str, text: str) -> None:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK | os.O_NOFOLLOW
        try:
            descriptor = (
                os.dup(_STANDARD[path])
                if path in _STANDARD
                else os.open(path, flags | os.O_CLOEXEC, MODE)
            )
            with os.fdopen(descriptor, "a", encoding="utf-8") as file:
                file.write(text)
        except OSError as error:
            if path not in self._refused:
                self._refused.add(path)
                self._say(f"access_log {path}: cannot write to it: {error.strerror}")


def _read(line: bytes) -> tuple[str, str, str] | None:
    try:
        match json.loads(line):
            case {"access_log": str(path), "configuration": str(of), "line": str(text)}:
                return of, path, text
    except ValueError:
        pass
    return None


def in_bucket(moto: Moto, bucket: str) -> Callable[[str], Awaitable[Collection[str]]]:
    """Return what reads the files that a configuration in the bucket names."""

    async def read(configuration: str) -> Collection[str]:
        async with moto.s3("GET", f"/{bucket}/{applied_key(configuration)}") as answer:
            content: Any = await answer.read()
        try:
            return named(Applied.of(configuration, Content.from_bytes(content))).keys()
        except ConfigurationLost:
            return ()

    return read
