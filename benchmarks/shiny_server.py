"""Debian's Shiny Server 1.5.20 as a peer, from outside: a black box (FACTS S6, S7, S11).

Its packages, its own Node among them, are unpacked into ``.build/debian`` (20 MB to fetch, 180 MB
unpacked) and laid over ``/usr`` and ``/etc`` in a mount namespace of the server's own. That needs
root, or a kernel that allows user namespaces; R is this machine's.
"""

import asyncio
import os
import pwd
import shlex
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import aiohttp
from websockets.asyncio.client import connect

from benchmarks.sessions import Echo, FramedEcho, XhrPolling, sockjs_url
from tests.support.debian import Unavailable, unpack
from tests.support.stack import free_port
from tests.support.visitor import WebSocketWire, page

# Only its tests, its build and its administration use these; R and pandoc are the machine's own.
WITHOUT = {
    "adduser", "mocha", "node-nan", "node-should", "node-sinon", "npm", "pandoc", "python3", "r-base", "r-cran-shiny",  # noqa: E501
}  # fmt: skip

CONFIGURATION = """
run_as {user};
server {{
  listen {port} 127.0.0.1;
  location / {{
    {serves};
    log_dir {folder}/log;
    bookmark_state_dir {folder}/state;
    app_idle_timeout {idle};
    simple_scheduler 250;
  }}
}}
"""


OUTPUT = "output"


@dataclass
class ShinyServer:
    """The running server with one app at its root."""

    url: str
    polling: bool = False

    @property
    def name(self) -> str:
        return "shiny-server, xhr polling" if self.polling else "shiny-server, WebSocket"

    @asynccontextmanager
    async def session(self) -> AsyncIterator[Echo]:
        if self.polling:
            async with XhrPolling(self.url) as wire:
                yield await FramedEcho(wire).begin()
        else:
            await page(self.url)
            address = sockjs_url(self.url).replace("http", "ws", 1)
            async with connect(f"{address}/websocket", compression=None, max_size=None) as socket:
                yield await FramedEcho(WebSocketWire(socket)).begin()

    async def counters(self) -> Mapping[str, int]:
        return {}


def unpacked() -> Path:
    """Return the folder with the server's files, fetched at the first call. Raises
    :class:`Unavailable`.
    """
    return unpack(
        "shiny-server", ["shiny-server", "nodejs", "libnode108"], depends=True, without=WITHOUT
    )


@asynccontextmanager
async def shiny_server(
    app: Path, copies: Sequence[str] = (), idle: int = 0
) -> AsyncIterator[ShinyServer]:
    """Run the server with the app in ``app`` at its root, or with copies of it at these names, and
    this ``app_idle_timeout``.

    Raises :class:`Unavailable`.
    """
    with tempfile.TemporaryDirectory(prefix="shiny-server-", dir="/var/tmp") as scratch:
        folder, port = Path(scratch), free_port()
        configuration = _furnish(folder, app, user(), port, copies, idle)
        async with running(folder, configuration) as process:
            server = ShinyServer(f"http://127.0.0.1:{port}/")
            await _up(server, process, folder / OUTPUT, any_answer=bool(copies))
            yield server


@asynccontextmanager
async def running(folder: Path, configuration: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run the server with a configuration; what it prints is in ``folder``, as :data:`OUTPUT`.

    ``folder`` belongs to :func:`user` and has a folder ``tmp``. Raises :class:`Unavailable`.
    """
    files = await asyncio.to_thread(unpacked)
    with (folder / OUTPUT).open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *_inside(files, folder / "tmp", user(), f"exec shiny-server {configuration}"),
            stdout=log, stderr=log, start_new_session=True,
            env={"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(folder), "LANG": "C.UTF-8"},
        )  # fmt: skip
    try:
        yield process
    finally:
        await _stop(process)


def _furnish(
    folder: Path, app: Path, owner: pwd.struct_passwd, port: int, copies: Sequence[str], idle: int
) -> Path:
    """Fill the server's folder, make it the user's, and return the configuration."""
    for name in copies or ["."]:
        shutil.copytree(app, folder / "app" / name)
    for name in ("log", "state", "tmp"):
        (folder / name).mkdir()
    configuration = folder / "shiny-server.conf"
    serves = f"{'site_dir' if copies else 'app_dir'} {folder}/app"
    configuration.write_text(
        CONFIGURATION.format(user=owner.pw_name, port=port, folder=folder, serves=serves, idle=idle)
    )
    for path in (folder, *folder.rglob("*")):
        os.chown(path, owner.pw_uid, owner.pw_gid)
    return configuration


def user() -> pwd.struct_passwd:
    """Whom the server runs as: it refuses to run an app as root (FACTS R7)."""
    return pwd.getpwnam("nobody") if os.getuid() == 0 else pwd.getpwuid(os.getuid())


def _inside(files: Path, tmp: Path, owner: pwd.struct_passwd, command: str) -> list[str]:
    """The command line that runs ``command`` as ``owner`` where ``files`` lie over the machine's
    own.

    ``tmp`` is its ``/tmp``: R leaves its folder there when it is ended (FACTS R7).
    """
    over = " && ".join(
        f"mount -t overlay overlay -o ro,lowerdir={shlex.quote(str(files / name))}:/{name} /{name}"
        for name in ("usr", "etc")
    )
    over = f"{over} && mount --bind {shlex.quote(str(tmp))} /tmp"
    ids = (str(owner.pw_uid), str(owner.pw_gid))
    if os.getuid() == 0:
        become = ["setpriv", "--reuid", ids[0], "--regid", ids[1], "--clear-groups"]
        outer = ["unshare", "--mount"]
    else:
        become = ["unshare", "--user", "--map-user", ids[0], "--map-group", ids[1]]
        outer = ["unshare", "--user", "--map-root-user", "--mount"]
    return [*outer, "sh", "-c", f"{over} && exec {shlex.join(become)} sh -c {shlex.quote(command)}"]


async def _up(
    server: ShinyServer, process: asyncio.subprocess.Process, output: Path, any_answer: bool
) -> None:
    try:
        async with asyncio.timeout(60):
            while process.returncode is None:
                with suppress(aiohttp.ClientConnectionError):
                    if any_answer:  # no app is to be started yet
                        async with aiohttp.ClientSession() as http, http.get(server.url):
                            return
                    await page(server.url)
                    return
                await asyncio.sleep(0.1)
    except (TimeoutError, AssertionError) as error:
        raise Unavailable(
            f"shiny-server does not serve its app: {error or 'not within 60 s'}"
        ) from error
    said = await asyncio.to_thread(output.read_text)
    raise Unavailable(
        "shiny-server did not start (it needs root, or user namespaces, and overlay "
        f"mounts): {said[-300:].strip()}"
    )


async def _stop(process: asyncio.subprocess.Process) -> None:
    """The server first, so that it ends its R processes; then what is left of its process group."""
    if process.returncode is None:
        process.terminate()
        with suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), 10)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    await process.wait()
