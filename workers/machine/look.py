"""What a user sees of an app's folder: a small program that runs as that user, and its answer.

Root does not look into such a folder itself, because its users can put anything there, and change
it at any time. The program sees what the app will see, and follows links as far as the user may.
This file needs the standard library only.
"""

import json
import os
import stat
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

PYTHON = "/usr/bin/python3"
MOST_NAMES = 10_000
LARGEST_SOURCE = 1 << 20
"""Largest file that is read to find out what the app is, in bytes."""
SOURCES = ("app.py", "manifest.json")
RESTART = "restart.txt"
APP_FILE = ".shiny_app.conf"
STARTUP = (".Rprofile", ".Renviron")
"""Files that R reads when it starts."""
INDEX = "www/index.html"


def command(folder: Path, home: Path) -> Sequence[str]:
    """Return the command line of the look, without what takes the privileges away."""
    return [PYTHON, "-I", "-S", "-c", Path(__file__).read_text(), str(folder), str(home)]


def look(folder: str, home: str) -> dict[str, Any]:
    """Return what is seen; raise :class:`OSError` if the folder cannot be entered and read."""
    os.chdir(folder)
    names: list[str] = []
    with os.scandir(".") as entries:
        for entry in entries:
            if len(names) == MOST_NAMES:
                break
            names.append(entry.name)
    if os.path.isfile(INDEX):  # noqa: PTH113  (this program starts fast without pathlib)
        names.append(INDEX)
    startup = [f"{place}{name}" for place in ("", f"{home}/") for name in STARTUP]
    return {
        "names": names,
        "sources": {name: text for name in SOURCES if (text := _source(name)) is not None},
        "restarted": _changed(RESTART),
        # It counts if it is there, so one that cannot be read must not pass for none.
        "app_file": _source(APP_FILE) if os.path.lexists(APP_FILE) else "",
        # The user's own library of packages is found when R starts.
        "startup": [name for name in (*startup, f"{home}/R") if _changed(name) is not None],
        "home": os.access(home, os.R_OK | os.X_OK),
    }


def _changed(path: str) -> int | None:
    try:
        return os.stat(path).st_mtime_ns  # noqa: PTH116
    except OSError:
        return None


def _source(name: str) -> str | None:
    try:
        file = os.open(name, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
    except OSError:
        return None
    try:
        if not stat.S_ISREG(os.fstat(file).st_mode):
            return None
        with os.fdopen(os.dup(file), "rb") as opened:
            return opened.read(LARGEST_SOURCE).decode("utf-8", "surrogateescape")
    finally:
        os.close(file)


if __name__ == "__main__":
    try:
        seen = look(*sys.argv[1:])
    except OSError as error:
        seen = {"error": error.strerror}
    sys.stdout.write(json.dumps(seen))
