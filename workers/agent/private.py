"""A worker's private folder: its socket, its temporary files and its home, which nobody else can open."""

import os
import shutil
import tempfile
from pathlib import Path

from agent.command import SCRIPT, SOCKET

_LONGEST_SOCKET = 107
"""Bytes of a unix socket's path (``sun_path`` less its end)."""
_START = Path(__file__).parent.parent / "r" / "start.R"


def make(unix_id: int | None) -> Path:
    """Make the folder, owned by the worker's user, with ``tmp``, ``home`` and a copy of r/start.R in it; return it.

    The copy lets R read it wherever the agent itself is installed.
    """
    base = Path(tempfile.gettempdir())
    if len(os.fsencode(base / "sheen-worker-xxxxxxxx" / SOCKET)) > _LONGEST_SOCKET:
        base = Path("/tmp")  # noqa: S108  (mkdtemp makes the name unguessable and the folder private)
    private = Path(tempfile.mkdtemp(prefix="sheen-worker-", dir=base))
    (private / "tmp").mkdir(mode=0o700)
    (private / "home").mkdir(mode=0o700)
    (private / SCRIPT).write_bytes(_START.read_bytes())
    if unix_id is not None:
        for path in (private / "tmp", private / "home", private / SCRIPT, private):
            os.chown(path, unix_id, unix_id)
    return private


def remove(private: Path) -> None:
    """Remove the folder with all that R left in it (FACTS R7); R has ended. Follows no link. Raise :class:`OSError` when it stays."""
    shutil.rmtree(private)
