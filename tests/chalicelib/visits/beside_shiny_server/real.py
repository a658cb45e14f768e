"""Asks Debian's Shiny Server, and keeps its answers as facts.

``python -m tests.chalicelib.visits.beside_shiny_server.real`` writes them anew.
"""

import asyncio
import http.client
import json
import os
import tempfile
import time
from pathlib import Path
from urllib.parse import quote

from benchmarks.shiny_server import OUTPUT, running, user
from tests.chalicelib.visits.beside_shiny_server.seen import Seen
from tests.chalicelib.visits.beside_shiny_server.site import (
    TREE,
    Question,
    configurations,
    questions,
)
from tests.support.debian import Unavailable
from tests.support.stack import free_port

ANSWERS = Path(__file__).parent / "answers.json"
ALL = 2000


async def answers(asked: list[Question]) -> list[Seen]:
    """Return the real server's answers. Raises :class:`Unavailable`."""
    with tempfile.TemporaryDirectory(prefix="shiny-server-", dir="/var/tmp") as scratch:
        folder = Path(scratch)
        ports = _ports(len(configurations("")))
        configuration = _furnish(folder, ports)
        async with running(folder, configuration):
            await asyncio.to_thread(_up, ports[0], folder)
            return await asyncio.to_thread(
                lambda: [_ask(ports[question.configuration], question) for question in asked]
            )


def _ports(count: int) -> list[int]:
    ports: set[int] = set()
    while len(ports) < count:
        ports.add(free_port())
    return list(ports)


def _furnish(folder: Path, ports: list[int]) -> Path:
    for path, content in TREE.items():
        target = folder / path
        (target if path.endswith("/") else target.parent).mkdir(parents=True, exist_ok=True)
        if not path.endswith("/"):
            target.write_text(content)
    for name in ("log", "tmp"):
        (folder / name).mkdir()
    servers = "\n".join(
        f"server {{ listen {port} 127.0.0.1; {text} }}"
        for port, text in zip(ports, configurations(str(folder)), strict=True)
    )
    owner = user()
    configuration = folder / "shiny-server.conf"
    configuration.write_text(
        # R does not start without this folder: which app is asked is seen without waiting for R.
        f"run_as {owner.pw_name}; log_dir {folder}/log; bookmark_state_dir /dev/null/x;\n"
        f"{servers}\n"
    )
    for made in (folder, *folder.rglob("*")):
        os.chown(made, owner.pw_uid, owner.pw_gid)
    return configuration


def _up(port: int, folder: Path) -> None:
    for _ in range(300):
        try:
            _ask(port, Question(0, "GET", "/a.txt"))
            return
        except OSError:
            time.sleep(0.1)
    raise Unavailable(f"shiny-server does not listen: {(folder / OUTPUT).read_text()[-300:]}")


def _ask(port: int, question: Question) -> Seen:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request(question.method, question.path, headers=dict(question.headers))
        answer = connection.getresponse()
        headers = {name.lower(): value for name, value in answer.getheaders()}
        return Seen.of(answer.status, headers, answer.read())
    finally:
        connection.close()


def recorded() -> dict[str, Seen]:
    """Return the answers that were kept, by their questions' :func:`key`."""
    return {key: Seen.of_record(record) for key, record in json.loads(ANSWERS.read_text()).items()}


def key(question: Question) -> str:
    """Return a question as text."""
    said = " ".join(f"{name}={quote(value)}" for name, value in question.headers)
    return f"{question.configuration} {question.method} {question.path} {said}".strip()


def main() -> None:
    asked = list(questions(ALL))
    found = zip(asked, asyncio.run(answers(asked)), strict=True)
    lines = ",\n".join(
        f"{json.dumps(key(question))}: {json.dumps(seen.record())}" for question, seen in found
    )
    ANSWERS.write_text(f"{{\n{lines}\n}}\n")


if __name__ == "__main__":
    main()
