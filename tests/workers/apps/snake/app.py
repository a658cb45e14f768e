"""An app in Python that tells what it can see."""

import json
import os
import sys
from pathlib import Path

from shiny import App, Inputs, Outputs, Session, render, ui


def seen(pid: str) -> str:
    """What an app finds out about itself and about process ``pid``."""
    found = {
        "environment": dict(os.environ),
        "status": Path("/proc/self/status").read_text(),
        "directory": str(Path.cwd()),
        "path": sys.path,
        "arguments": Path("/proc/self/cmdline").read_text(),
        "stdin": sys.stdin.read(),
        "write_app": os.access(".", os.W_OK),
    }
    try:
        found["agent_environ"] = Path(f"/proc/{pid}/environ").read_text(errors="replace")
    except OSError:
        found["agent_environ"] = ""
    return json.dumps(found)


app_ui = ui.page_fluid(
    ui.input_text("said", "Say"),
    ui.output_text("heard"),
    ui.output_text("who"),
    ui.output_text("seen_by"),
    ui.input_file("file", "File"),
)


def server(input: Inputs, output: Outputs, session: Session) -> None:
    @render.text
    def heard() -> str:
        return f"heard: {input.said()}"

    @render.text
    def who() -> str:
        return f"{os.getpid()} {session.id}"

    @render.text
    def seen_by() -> str:
        return seen(input.pid())

    @render.text
    def broken() -> str:
        raise ValueError("the inside story")

    @render.text
    def uploaded() -> str:
        return Path(input.file()[0]["datapath"]).read_text()


app = App(app_ui, server)
