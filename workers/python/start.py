"""Starts the Shiny app in the working directory and serves it on a unix socket.

The agent starts Python with this file and writes the parameters as ``name=value`` lines to its standard input, where no child of it and no
other user can read them later. How far the start is goes to stderr as a line ``<mark> <phase>``, as from ``r/serve.R``:
``app``: Shiny is loaded and the app's own code starts to run; ``ready``: the socket is open.
"""

import contextlib
import importlib
import os
import socket
import sys
from pathlib import Path
from typing import Any

import uvicorn
from sheen_relay import Relay

_LARGEST_MESSAGE = 64 * 1024 * 1024
"""Bytes of one message from a browser; :class:`relay.settings.RelaySettings` has the same."""
_PATIENCE = 3
"""Seconds for open connections at the end, of the five after which the agent asks more firmly."""


class _Server(uvicorn.Server):
    """Says when it listens."""

    mark = ""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            phase(self.mark, "ready")


def phase(mark: str, name: str) -> None:
    """Tell the agent how far the start is."""
    sys.stderr.write(f"\n{mark} {name}\n")
    sys.stderr.flush()


def parameters() -> dict[str, str]:
    """Read what the agent says, and leave an empty standard input to the app."""
    lines = sys.stdin.buffer.read().decode().splitlines()
    with open(os.devnull, "rb") as nothing:  # noqa: PTH123  (before anything else is imported that is not needed)
        os.dup2(nothing.fileno(), 0)
    return dict(line.split("=", 1) for line in lines)


def listening(path: str) -> socket.socket:
    """Open the socket, which only this user can reach (FACTS R2)."""
    before = os.umask(0o177)
    try:
        opened = socket.socket(socket.AF_UNIX)
        opened.bind(path)
    finally:
        os.umask(before)
    return opened


def keep_bookmarks(folder: str) -> None:
    """Have states of ``bookmark_store="server"`` kept in ``folder``: the app's own goes with its instance."""
    try:
        from shiny.bookmark import set_global_restore_dir_fn, set_global_save_dir_fn
    except ImportError:
        return  # the app brings a Shiny of before bookmarks

    def save(name: str) -> Path:
        state = Path(folder, name)
        state.mkdir(mode=0o700)
        return state

    set_global_save_dir_fn(save)
    set_global_restore_dir_fn(lambda name: Path(folder, name))


def load(entrypoint: str) -> Any:
    """Import the app; one of Shiny Express is wrapped as ``shiny run`` does it."""
    module, _, attribute = entrypoint.partition(":")
    file = Path(module.replace(".", "/") + ".py")
    if file.is_file():
        from shiny import express

        if express.is_express_app(str(file), str(Path.cwd())):
            return express.wrap_express_app(file.absolute())
    return getattr(importlib.import_module(module), attribute)


def main() -> None:
    """Serve until the agent says stop."""
    told = parameters()
    if not os.access(".", os.R_OK | os.X_OK):
        sys.exit(f"the app's folder {Path.cwd()} cannot be read by the app's user")
    sys.path[0] = str(Path.cwd())  # in place of this script's folder
    import shiny

    if told["bookmarks"]:
        keep_bookmarks(told["bookmarks"])
    phase(told["mark"], "app")
    app = load(told["entrypoint"])
    if told["sanitize_errors"] == "true" and isinstance(app, shiny.App):
        app.sanitize_errors = True
    config = uvicorn.Config(
        Relay(app, told["secret"], told["worker"]),
        access_log=False,
        log_config=None,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=_PATIENCE,
        ws_max_size=_LARGEST_MESSAGE,
        ws_per_message_deflate=False,
        ws_ping_interval=None,  # the agent is judged by its process, and may be slow to read on purpose
        ws_ping_timeout=None,
    )
    server = _Server(config)
    server.mark = told["mark"]
    with contextlib.suppress(KeyboardInterrupt):  # SIGINT is how the agent asks it to end
        server.run(sockets=[listening(told["socket"])])
    if not server.started:
        sys.exit(3)


if __name__ == "__main__":
    main()
