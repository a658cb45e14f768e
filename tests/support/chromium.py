"""How tests start Debian's Chromium."""

import shutil
from typing import Any

QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def launch_options() -> dict[str, Any]:
    """What Playwright's ``chromium.launch`` gets, by either of its APIs."""
    program = shutil.which("chromium")
    assert program, "Chromium is not installed: `make test` installs it"
    return {"executable_path": program, "args": list(QUIET)}
