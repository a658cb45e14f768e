"""Apps of Shiny for Python, published as rsconnect-python writes them or as they are."""

import contextlib
import json
import subprocess
import sys
from pathlib import Path

import aiohttp
import pytest
from rsconnect.bundle import make_manifest_bundle

from tests.support.apps import PYTHON_ECHO, app
from tests.support.conversation import update
from tests.support.publishing import upload
from tests.support.stack import StackProcess
from tests.support.visitor import Visitor
from tests.support.wheels import Index

pytestmark = pytest.mark.stack


def write_manifest(folder: Path, entrypoint: str) -> None:
    """What an author does: ``rsconnect write-manifest shiny``."""
    rsconnect = Path(sys.executable).with_name("rsconnect")
    command: list[str | Path] = [
        *(rsconnect, "write-manifest", "shiny", "--entrypoint", entrypoint, "."),
    ]
    subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=120)
    assert (
        json.loads((folder / "manifest.json").read_text())["metadata"]["appmode"] == "python-shiny"
    )


async def test_a_folder_with_rsconnect_pythons_manifest_is_served_by_processes_that_sessions_find(
    stack: StackProcess, tmp_path: Path
) -> None:
    folder = app(tmp_path / "snake", PYTHON_ECHO, "main.py")
    (folder / "requirements.txt").write_text("shiny\n")
    write_manifest(folder, "main:app")
    url = stack.publish(
        folder, "/snake", utilization_scheduler="1 1 3"
    )  # the first look takes a seat too
    stack.wake("/snake/")
    async with contextlib.AsyncExitStack() as visits:
        visitors = [await visits.enter_async_context(Visitor(url)) for _ in range(2)]
        processes = set()
        for visitor in visitors:
            assert await visitor.say("a word") == "heard: a word"
            process, _session = (await visitor.until("who", bool)).split()
            processes.add(process)
        assert len(processes) == 2
        for number, visitor in enumerate(visitors):
            words = f"words of {number}"
            file = {"name": "a.txt", "size": len(words), "type": "text/plain"}
            job = await visitor.conversation.call("uploadInit", [file])
            target = f"{url.rstrip('/')}/{job['uploadUrl']}"
            async with (
                aiohttp.ClientSession() as other,
                other.post(target, data=b"another's") as answer,
            ):
                assert answer.status == 403
            async with visitor.http.post(target, data=words.encode()) as answer:
                assert answer.status == 200, await answer.text()
            await visitor.conversation.call("uploadEnd", job["jobId"], "file")
            await visitor.conversation.tell(
                "0|m|" + update(**{".clientdata_output_uploaded_hidden": False})
            )
            assert await visitor.until("uploaded", bool) == words


async def test_what_rsconnect_python_packs_is_served_with_its_packages(
    stack: StackProcess, wheels: Index, tmp_path: Path
) -> None:
    wheels.add("sheencourtesy", "1.0", "bow = 'a low bow'\n")
    source = "import sheencourtesy\nfrom shiny.express import ui\nui.h2(sheencourtesy.bow)\n"
    folder = app(tmp_path / "polite", source, "app.py")
    (folder / "requirements.txt").write_text("shiny\nsheencourtesy==1.0\n")
    write_manifest(folder, "app.py")
    with make_manifest_bundle(str(folder / "manifest.json")) as bundle:
        (tmp_path / "bundle.tar.gz").write_bytes(bundle.read())
    found = upload(
        stack, "bundles/courtesy/bundle.tar.gz", (tmp_path / "bundle.tar.gz").read_bytes()
    )
    assert (found["status"], found["message"]) == ("active", "Published.")
    stack.wake("/courtesy/")
    assert "<h2>a low bow</h2>" in stack.get("/courtesy/", {"accept": "text/html"}).text


def test_other_apps_in_python_are_refused_by_what_they_are(
    stack: StackProcess, tmp_path: Path
) -> None:
    folder = app(tmp_path / "flask", "from flask import Flask\napp = Flask(__name__)\n", "app.py")
    failed = stack.sheen("publish", str(folder), "--at", "/flask", check=False)
    assert failed.returncode == 1
    assert (
        "app.py makes it a Python app that is not Shiny's, which Sheen does not serve yet"
        in failed.stderr
    )
    (folder / "app.py").write_text("from shiny import App, ui\napp = App(ui.page_fluid(), None)\n")
    (folder / "requirements.txt").write_text("sheennobody==3\n")
    failed = stack.sheen("publish", str(folder), "--at", "/flask", check=False)
    assert failed.returncode == 1
    assert "No matching distribution found for sheennobody" in failed.stderr
    assert stack.get("/flask/", {"accept": "text/html"}).status == 404
