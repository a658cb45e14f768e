"""A worker's private folder: its socket, its temporary files and its home, which nobody else can open."""

import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from agent.command import SOCKET

_LONGEST_SOCKET = 107
"""Bytes of a unix socket's path (``sun_path`` less its end)."""
_OF_R = tuple(Path(__file__).parent.parent / "r" / name for name in ("serve.R", "start.R"))


def make(unix_id: int | None) -> Path:
    """Make the folder, owned by the worker's user, with ``tmp`` and ``home`` in it; return it."""
    base = Path(tempfile.gettempdir())
    if len(os.fsencode(base / "sheen-worker-xxxxxxxx" / SOCKET)) > _LONGEST_SOCKET:
        base = Path("/tmp")  # noqa: S108  (mkdtemp makes the name unguessable and the folder private)
    private = Path(tempfile.mkdtemp(prefix="sheen-worker-", dir=base))
    (private / "tmp").mkdir(mode=0o700)
    (private / "home").mkdir(mode=0o700)
    if unix_id is not None:
        for path in (private / "tmp", private / "home", private):
            os.chown(path, unix_id, unix_id)
    return private


def put_scripts(private: Path, unix_id: int | None, scripts: Sequence[Path] = _OF_R) -> Path:
    """Copy what a fresh process runs into the folder, where it can read it wherever the agent itself is installed; return the last."""
    for script in scripts:
        (private / script.name).write_bytes(script.read_bytes())
        if unix_id is not None:
            os.chown(private / script.name, unix_id, unix_id)
    return private / scripts[-1].name


def remove(private: Path) -> None:
    """Remove the folder with all that R left in it (FACTS R7); R has ended. Follows no link. Raise :class:`OSError` when it stays."""
    shutil.rmtree(private)
