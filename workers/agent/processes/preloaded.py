"""An R that has Shiny loaded, from which workers are forked.

See r/preloaded.R, r/fork.c and FACTS R3 to R5. If this R dies, its workers are unharmed. A worker
is forked twice, which makes it a child of the agent, and the memory that it shares stays.
"""

import asyncio
import contextlib
import os
import socket
import struct
import subprocess
import tempfile
from pathlib import Path

from agent.processes import command, preloading
from agent.processes.command import WorkerSpec
from agent.processes.r_process import READ_SIZE, RProcess, end_of
from chalicelib.syncs.folders import MOST_GROUPS
from machine import process
from machine.untrusted import Folder

FOLDER = Path(__file__).resolve().parents[2] / "r"
LIBRARY = FOLDER / ".build" / "fork.so"
LOADING = 20.0
"""Seconds that loading may take; after that, workers get a fresh R."""
FORKING = 10.0
"""Seconds that a fork may take."""
_LARGEST_MESSAGE = 64 * 1024
_REQUEST = struct.Struct(f"={3 + MOST_GROUPS}i")
_ANSWER = struct.Struct("=i")
_SAID = 4096


class NoFork(Exception):
    """No worker can be forked, for the reason in the message; a fresh R can be used instead."""


class PreloadedProcess:
    """One preloaded R, which begins to start when this object is made.

    Make it in the process's main thread, because its life is bound to that thread
    (PR_SET_PDEATHSIG).
    """

    def __init__(self, library: Path = LIBRARY) -> None:
        """Start the R; raise :class:`NoFork` if that fails at once."""
        if not library.is_file():
            raise NoFork(
                f"{library} is not there; the image and `make install` build it from r/fork.c"
            )
        process.adopt_orphans()
        self._folder = Path(tempfile.mkdtemp(prefix="sheen-preloaded-"))
        self._said = tempfile.TemporaryFile()  # noqa: SIM115  (lives as long as this object)
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        self._socket = ours
        self._lock = asyncio.Lock()
        self._versions: dict[str, str] | None = None
        try:
            self._process = subprocess.Popen(
                preloading.command(FOLDER / "preloaded.R", theirs.fileno(), root=process.is_root()),
                env=preloading.environment(self._folder),
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=self._said,
                stderr=subprocess.STDOUT,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
            )
        except OSError as error:
            ours.close()
            raise NoFork(f"R could not be started: {error}") from error
        finally:
            theirs.close()

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether the process exists."""
        return self._process.poll() is None

    async def versions(self) -> dict[str, str]:
        """Wait until R is loaded; return the version of each loaded package.

        Raise :class:`NoFork` if R does not answer.
        """
        async with self._lock:
            return await self._loaded()

    async def fork(self, spec: WorkerSpec, folder: Path, mark: str) -> RProcess:
        """Fork a worker; raise :class:`NoFork` if nothing was started."""
        async with self._lock:
            await self._loaded()
            input_read, input_write = os.pipe()
            output_read, output_write = os.pipe()
            kept = [input_write, output_read]
            try:
                user = -1 if spec.unix_id is None else spec.unix_id
                group = -1 if spec.group is None else spec.group
                try:
                    given = [input_read, output_write, *command.passed(spec)]
                    more = (*spec.groups, *(0 for _ in range(MOST_GROUPS - len(spec.groups))))
                    socket.send_fds(
                        self._socket, [_REQUEST.pack(user, group, len(spec.groups), *more)], given
                    )
                finally:
                    os.close(input_read)
                    os.close(output_write)
                answer = await self._hear(_ANSWER.size, FORKING)
                (pid,) = _ANSWER.unpack(answer)
                if pid < 0:
                    raise NoFork(f"the fork failed: {os.strerror(-pid)}")
                worker = ForkedProcess(pid)
                kept.clear()
            except OSError as error:
                raise NoFork(f"it does not take requests: {error}") from error
            except asyncio.CancelledError:
                # Otherwise its answer would be taken for the answer to the next request.
                self._process.kill()
                raise
            finally:
                for descriptor in kept:
                    os.close(descriptor)
        await worker.furnish(input_write, output_read, preloading.parameters(spec, folder, mark))
        return worker

    def close(self) -> None:
        """End the preloaded R; its workers keep running."""
        self._socket.close()
        self._process.kill()
        self._process.wait()
        self._said.close()
        with contextlib.suppress(OSError), Folder.at(self._folder.parent) as base:
            base.remove(self._folder.name)

    async def _loaded(self) -> dict[str, str]:
        if self._versions is None:
            text = (await self._hear(_LARGEST_MESSAGE, LOADING)).decode()
            self._versions = dict(pair.split("=", 1) for pair in text.split())
        return self._versions

    async def _hear(self, size: int, patience: float) -> bytes:
        """Return the preloaded R's next message.

        A preloaded process that misses its deadline is discarded. Raise :class:`NoFork` if no
        message comes.
        """
        try:
            async with asyncio.timeout(patience):
                data = await asyncio.get_running_loop().sock_recv(self._socket, size)
        except TimeoutError:
            self._process.kill()
            raise NoFork(f"it did not answer within {patience:g} s") from None
        except OSError as error:
            raise NoFork(f"it does not answer: {error}") from error
        if not data:
            raise NoFork(f"it has ended: {self._last_words()}")
        return data

    def _last_words(self) -> str:
        self._said.seek(0, os.SEEK_END)
        self._said.seek(max(0, self._said.tell() - _SAID))
        return self._said.read().decode(errors="replace").strip() or "it said nothing"


class ForkedProcess:
    """A forked worker's process; an :class:`agent.processes.r_process.RProcess`."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self.stdout: asyncio.StreamReader | None = None
        self._waiting = asyncio.Lock()

    async def furnish(self, write_to: int, read_from: int, parameters: bytes) -> None:
        """Take the ends of the process's pipes, and send it its parameters."""
        loop = asyncio.get_running_loop()
        self.stdout = asyncio.StreamReader(READ_SIZE, loop)
        reader = self.stdout
        await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader, loop=loop), os.fdopen(read_from, "rb", 0)
        )
        transport, _ = await loop.connect_write_pipe(
            asyncio.BaseProtocol, os.fdopen(write_to, "wb", 0)
        )
        with contextlib.suppress(OSError):
            transport.write(parameters)
        transport.close()

    async def wait(self) -> int:
        """Wait for the process to end, and reap it."""
        async with self._waiting:
            if self.returncode is None:
                await end_of(self.pid)
                _, status = os.waitpid(self.pid, 0)  # noqa: ASYNC222  (it has ended)
                self.returncode = os.waitstatus_to_exitcode(status)
            return self.returncode
