"""The front's interface to moto.

It starts moto's process, passes requests on to it, and calls it for the stack itself.
"""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Mapping
from typing import IO, Any

import aiohttp
from yarl import URL

from infra.emulator import children
from infra.emulator.errors import CannotStart, EmulatorError
from infra.emulator.keys import AccessKey
from infra.emulator.settings import ACCOUNT, REGION, TREE, EmulatorSettings

CONNECTIONS = 48
"""Connections to moto, which serves each with a thread."""
OBJECT_BYTES_IN_MEMORY = 1 << 16
"""Size above which objects, and parts of them, are kept in files."""

_PIECE = 1 << 18

_TARGETS = {
    "dynamodb": "DynamoDB_20120810",
    "states": "AWSStepFunctions",
    "ecs": "AmazonEC2ContainerServiceV20141113",
    "logs": "Logs_20140328",
    "secretsmanager": "secretsmanager",
}


class MotoFailed(EmulatorError):
    """moto refused a call of the stack, or has ended."""


class Moto:
    """moto's process, and the connections to it."""

    def __init__(self, settings: EmulatorSettings) -> None:
        self._settings = settings
        self._socket = settings.run / "moto.sock"
        self._process: asyncio.subprocess.Process | None = None
        self._session: aiohttp.ClientSession | None = None

    async def start(self, role_keys: Mapping[str, AccessKey]) -> None:
        """Start the process and wait until it listens.

        Its engine signs a state machine's calls with the key of the machine's role, by the role's
        ARN.
        """
        with (self._settings.logs / "moto.log").open("ab") as log:
            self._process = await children.start(
                [self._settings.python, "-m", "infra.emulator.moto.process", str(self._socket)],
                environment={
                    "PATH": "/usr/bin:/bin",
                    "PYTHONPATH": str(TREE),
                    "AWS_DEFAULT_REGION": REGION,
                    "AWS_ACCESS_KEY_ID": "moto",
                    "AWS_SECRET_ACCESS_KEY": "moto",
                    "MOTO_ACCOUNT_ID": ACCOUNT,
                    "MOTO_S3_DEFAULT_KEY_BUFFER_SIZE": str(OBJECT_BYTES_IN_MEMORY),
                    "S3_IGNORE_SUBDOMAIN_BUCKETNAME": "true",
                    "TMPDIR": str(self._settings.run),
                    # Memory of former objects goes back to the system.
                    "MALLOC_MMAP_THRESHOLD_": str(1 << 20),
                },
                cwd=TREE,
                output=log,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
            )
        configuration = {
            "endpoint": self._settings.endpoint,
            "keys": {arn: [key.key_id, key.secret] for arn, key in role_keys.items()},
        }
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps(configuration).encode())
        self._process.stdin.close()
        if await self._process.stdout.readline() != b"ready\n":
            log_path = self._settings.logs / "moto.log"
            last = "\n".join(log_path.read_text(errors="replace").splitlines()[-3:])
            raise CannotStart(f"moto did not start, see {log_path}:\n{last}")
        self._session = aiohttp.ClientSession(
            connector=aiohttp.UnixConnector(str(self._socket), limit=CONNECTIONS),
            timeout=aiohttp.ClientTimeout(total=None),
            auto_decompress=False,
            skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
        )

    async def ended(self) -> None:
        """Return when the process has ended."""
        assert self._process is not None
        await self._process.wait()

    async def stop(self) -> None:
        """End the process, which has nothing to save."""
        if self._session is not None:
            await self._session.close()
        if self._process is not None:
            await children.stop(self._process, 0)

    def request(
        self, method: str, path: str, *, headers: Mapping[str, str], data: Any = None
    ) -> Any:
        """Send a request unchanged; use with ``async with``.

        ``path``, with its query, is as on the request line. ``data`` is bytes, or a file that is
        open for reading, which the caller may close as soon as there is an answer.
        """
        assert self._session is not None
        if data is not None and not isinstance(data, bytes):
            headers = {**headers, "Content-Length": str(os.fstat(data.fileno()).st_size)}
            data = _pieces(data)
        return self._session.request(
            method,
            URL("http://moto" + path, encoded=True),
            headers=headers,
            data=data,
            allow_redirects=False,
        )

    def s3(
        self, method: str, path: str, *, headers: Mapping[str, str] | None = None, data: Any = None
    ) -> Any:
        """Send an S3 request of the stack's own, without the front."""
        return self.request(
            method, path, headers={**_signed_as("s3"), **(headers or {})}, data=data
        )

    def form(self, service: str, form: str) -> Any:
        """Call a service of the query protocol; use with ``async with``."""
        headers = {
            **_signed_as(service),
            "Content-Type": "application/x-www-form-urlencoded; charset=utf-8",
        }
        return self.request("POST", "/", headers=headers, data=form.encode())

    async def call(
        self, service: str, operation: str, payload: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Call an operation of a JSON service.

        Raise :class:`MotoFailed` with the error's type if it is refused.
        """
        headers = {
            **_signed_as(service),
            "X-Amz-Target": f"{_TARGETS[service]}.{operation}",
            "Content-Type": "application/x-amz-json-1.0",
        }
        async with self.request(
            "POST", "/", headers=headers, data=json.dumps(payload).encode()
        ) as response:
            body = await response.read()
            if response.status != 200:
                raise MotoFailed(f"{service} {operation}: {body[:500].decode(errors='replace')}")
            result: dict[str, Any] = json.loads(body or b"{}")
            return result

    async def stream(self, table: str, after: int) -> tuple[int, list[dict[str, Any]]]:
        """Return the table's stream records from number ``after`` on, and the next number.

        With -1, return only the next number.
        """
        async with self.request(
            "GET", f"/-/stream/{table}?after={after}", headers=_signed_as("dynamodb")
        ) as response:
            document = json.loads(await response.read())
            return document["next"], document["records"]


async def _pieces(file: IO[bytes]) -> AsyncIterator[bytes]:
    """Yield a file piece by piece.

    aiohttp itself would read it in another thread, which continues after the answer has come and
    the file is closed.
    """
    while piece := file.read(_PIECE):
        yield piece


def _signed_as(service: str) -> dict[str, str]:
    """Return headers with a credential scope, by which moto finds the service.

    Nobody verifies this signature.
    """
    scope = f"moto/20200101/{REGION}/{service}/aws4_request"
    return {
        "Authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0",
        "Host": "127.0.0.1",
    }
