"""Starts the Shiny app in the working directory and serves it on a unix socket.

The agent starts Python with this file and writes the parameters as ``name=value`` lines to its
standard input. Child processes and other users cannot read them there later. The progress of the
start goes to stderr as lines ``<mark> <phase>``, as from ``r/serve.R``. Phase ``app``: Shiny is
loaded and the app's own code starts to run. Phase ``ready``: the socket is open.
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
"""Largest message from a browser, in bytes: a copy of ``relay.settings.LARGEST_MESSAGE``."""
_PATIENCE = 3
"""Seconds that open connections get at the end.

The agent sends a stronger signal after five seconds.
"""


class _Server(uvicorn.Server):
    """Reports to the agent when it listens."""

    mark = ""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            phase(self.mark, "ready")


def phase(mark: str, name: str) -> None:
    """Tell the agent which phase the start has reached."""
    sys.stderr.write(f"\n{mark} {name}\n")
    sys.stderr.flush()


def parameters() -> dict[str, str]:
    """Read the agent's parameters, and leave an empty standard input to the app."""
    lines = sys.stdin.buffer.read().decode().splitlines()
    with open(os.devnull, "rb") as nothing:  # noqa: PTH123  (before any import that is not needed)
        os.dup2(nothing.fileno(), 0)
    return dict(line.split("=", 1) for line in lines)


def listening(path: str) -> socket.socket:
    """Return the listening socket, which only this user can reach (FACTS R2)."""
    before = os.umask(0o177)
    try:
        opened = socket.socket(socket.AF_UNIX)
        opened.bind(path)
    finally:
        os.umask(before)
    return opened


def keep_bookmarks(folder: str) -> None:
    """Keep the states of ``bookmark_store="server"`` in ``folder``; ``off``: keep none.

    The folder that Shiny uses by default is lost with the instance.
    """
    try:
        from shiny.bookmark import set_global_restore_dir_fn, set_global_save_dir_fn
    except ImportError:
        return  # the app's Shiny is older than bookmarks

    def refuse(name: str) -> Path:
        raise RuntimeError(
            'this server stores no bookmarked states (bookmark_state_dir); use bookmark_store="url"'
        )

    if folder == "off":
        set_global_save_dir_fn(refuse)
        set_global_restore_dir_fn(refuse)
        return

    def save(name: str) -> Path:
        state = Path(folder, name)
        state.mkdir(mode=0o700)
        return state

    set_global_save_dir_fn(save)
    set_global_restore_dir_fn(lambda name: Path(folder, name))


def load(entrypoint: str) -> Any:
    """Import the app; wrap a Shiny Express app as ``shiny run`` does."""
    module, _, attribute = entrypoint.partition(":")
    file = Path(module.replace(".", "/") + ".py")
    if file.is_file():
        from shiny import express

        if express.is_express_app(str(file), str(Path.cwd())):
            return express.wrap_express_app(file.absolute())
    return getattr(importlib.import_module(module), attribute)


def main() -> None:
    """Serve until the agent stops this process."""
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
        # The agent is judged by its process, and it may read slowly on purpose.
        ws_ping_interval=None,
        ws_ping_timeout=None,
    )
    server = _Server(config)
    server.mark = told["mark"]
    with contextlib.suppress(KeyboardInterrupt):  # the agent sends SIGINT to stop this process
        server.run(sockets=[listening(told["socket"])])
    if not server.started:
        sys.exit(3)


if __name__ == "__main__":
    main()
