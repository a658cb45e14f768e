"""Keep the secrets of Secrets Manager on disk, since moto forgets them (FACTS M4).

They are in ``secrets.json`` of the data folder, which only its owner may read.
"""

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import aiohttp

from infra.emulator.console import Console
from infra.emulator.moto.client import Moto, MotoFailed

_READS = ("Get", "List", "Describe", "Batch")
_KEPT = ("Name", "SecretString", "SecretBinary")


class KeptSecrets:
    """All secrets, by name and current value."""

    def __init__(self, file: Path, moto: Moto, console: Console) -> None:
        self._file = file
        self._moto = moto
        self._console = console
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def restore(self) -> int:
        """Restore the kept secrets; return their number."""
        secrets = json.loads(self._file.read_text()) if self._file.exists() else []
        for secret in secrets:
            await self._moto.call("secretsmanager", "CreateSecret", secret)
        return len(secrets)

    def start(self) -> None:
        """Keep all changes from now on."""
        self._task = asyncio.create_task(self._keep())

    def called(self, operation: str) -> None:
        """Handle the success of an operation."""
        if not operation.startswith(_READS):
            self._wake.set()

    async def stop(self) -> None:
        """Write what has not been written yet."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            if self._wake.is_set():
                await self._write()

    async def _keep(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            try:
                await self._write()
            except asyncio.CancelledError:
                self._wake.set()
                raise

    async def _write(self) -> None:
        try:
            secrets = [await self._read(name) for name in await self._names()]
            unfinished = self._file.with_suffix(".new")
            unfinished.touch(mode=0o600)
            unfinished.write_text(json.dumps(secrets))
            os.replace(unfinished, self._file)  # noqa: PTH105  (what it is, said as it is)
        except (MotoFailed, aiohttp.ClientError, OSError) as error:
            self._console.say(f"could not keep the secrets: {error}")

    async def _names(self) -> list[str]:
        names: list[str] = []
        page: dict[str, Any] = {}
        while True:
            found = await self._moto.call("secretsmanager", "ListSecrets", page)
            names += [
                entry["Name"] for entry in found["SecretList"] if not entry.get("DeletedDate")
            ]
            if not found.get("NextToken"):
                return names
            page = {"NextToken": found["NextToken"]}

    async def _read(self, name: str) -> dict[str, Any]:
        found = await self._moto.call("secretsmanager", "GetSecretValue", {"SecretId": name})
        return {field: found[field] for field in _KEPT if field in found}
