"""States that an app stores on the server, by real R."""

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from multidict import CIMultiDict

from agent.http import r_socket
from agent.processes.command import WorkerSpec
from agent.processes.worker import Worker
from agent.processes.workers import Workers


async def said(spec: WorkerSpec, mark: str) -> str:
    """Return the first message in which R says ``mark`` to a session."""
    workers = Workers(lambda number: Worker(spec))
    try:
        async with workers.seated("s1"):
            pass
        socket = await r_socket.connect(workers, "s1", CIMultiDict({"Host": "localhost"}))
        data = {".clientdata_output_url_hidden": False, ".clientdata_url_search": ""}
        url = {
            f".clientdata_url_{name}": "x" for name in ("protocol", "hostname", "port", "pathname")
        }
        await socket.send(json.dumps({"method": "init", "data": data | url}))
        async for message in socket:
            if mark in str(message) or "Error bookmarking" in str(message):
                return str(message)
        raise AssertionError("R closed the socket")
    finally:
        await workers.close()


async def test_a_state_is_stored_in_the_apps_folder_of_states(
    spec: Callable[..., WorkerSpec], tmp_path: Path
) -> None:
    of_app = spec("bookmark")
    folder = of_app.directory.parent / f"states-{os.getpid()}"
    folder.mkdir(mode=0o700)
    if of_app.unix_id is not None:
        os.chown(folder, of_app.unix_id, of_app.unix_id)
    assert "_state_id_=" in await said(replace(of_app, bookmarks=folder), "_state_id_=")
    [state] = folder.iterdir()
    assert (state / "input.rds").exists()


@pytest.mark.parametrize("folder", [None, Path("/nowhere")])
async def test_with_bookmarks_off_the_visitor_is_told_that_nothing_is_stored(
    spec: Callable[..., WorkerSpec], folder: Path | None
) -> None:
    of_app = replace(spec("bookmark"), bookmarks=folder, keeps_bookmarks=False)
    assert "bookmark_state_dir" in await said(of_app, "stores no bookmarked states")
    assert not list(of_app.directory.glob("shiny_bookmarks*"))
