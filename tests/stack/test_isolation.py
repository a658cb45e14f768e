"""In a whole deployment an app reaches nothing that is not its own (DESIGN rule 5): every attempt
is made by R code of a published app.
"""

import json
import os
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.support import intruder
from tests.support.stack import TREE, StackProcess

pytestmark = [
    pytest.mark.stack,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can give each app its own user"),
]
INTRUDER = TREE / "tests" / "workers" / "apps" / "intruder"


ORDERS = """
import json, sys, urllib.error, urllib.request
for method, path in ("POST", "watch"), ("POST", "restart"), ("POST", "connections/x"), ("GET", "r/"), ("DELETE", "connections/x"):
    body = b"{}" if method == "POST" else None
    order = urllib.request.Request(f"http://{sys.argv[1]}/{path}", method=method, data=body, headers=json.loads(sys.argv[2]))
    try:
        print("GOT IN", urllib.request.urlopen(order).status)
    except urllib.error.HTTPError as error:
        print(error.code)
"""  # noqa: E501


class Apps:
    """The intruder, and another app beside it."""

    def __init__(self, stack: StackProcess) -> None:
        self.stack = stack
        for location in ("/intruder", "/victim"):
            stack.publish(INTRUDER, location)
            stack.wake_json(f"{location}/?r=1")
        self.intruder, self.victim = self._row("/intruder"), self._row("/victim")

    def ask(self, code: str) -> Any:
        """Have the intruder's R evaluate code."""
        answer = self.stack.get(f"/intruder/?r={quote(code)}", timeout=60)
        value = json.loads(answer.body)["value"]
        return value[0] if isinstance(value, list) and len(value) == 1 else value

    def folder(self, row: dict[str, Any]) -> Path:
        """The version's folder of an instance."""
        app, _, version = str(row["version_id"]).partition(".")
        found = [
            path
            for path in (self.stack.data / "efs", *Path("/var/lib/sheen").glob("efs-*"))
            if (path / "apps" / app).exists()
        ]
        return found[0] / "apps" / app / version

    def _row(self, location: str) -> dict[str, Any]:
        row = self.stack.instance_of(location)
        assert row is not None
        return row


@pytest.fixture(scope="module")
def apps(stack: StackProcess) -> Apps:
    return Apps(stack)


def test_another_apps_version_is_closed(apps: Apps) -> None:
    victim = apps.folder(apps.victim)
    assert (victim / "app.R").exists()
    intruder.cannot_read(apps.ask, [victim.parent, victim, victim / "app.R"])
    intruder.cannot_change(apps.ask, [victim.parent, victim])


def test_its_own_version_can_be_read_and_never_changed(apps: Apps) -> None:
    own = apps.folder(apps.intruder)
    assert (
        "app.R" in apps.ask(intruder.lists(own) + " |> as.list()")
        or apps.ask(intruder.lists(own)) == "app.R"
    )
    intruder.cannot_change(apps.ask, [own, own.parent, own.parent.parent])


def test_the_stacks_keys_data_and_sockets_are_closed(apps: Apps) -> None:
    data = apps.stack.data
    kept = [
        data / name
        for name in (
            "keys.json",
            "environment.json",
            "logs",
            "run",
            "s3",
            "dynamodb",
            "run/control.sock",
            "run/moto.sock",
        )
    ]
    there = [path for path in kept if path.exists()]
    assert len(there) > 5
    for path in there:
        value = apps.ask(intruder.lists(path) if path.is_dir() else intruder.reads(path))
        assert value in ([], {}) or "cannot open" in str(value), (path, value)
    connect = (
        "import socket, sys\nfor path in sys.argv[1:]:\n  s = "
        "socket.socket(socket.AF_UNIX)\n  print(s.connect_ex(path))"
    )
    said = intruder.lines(
        apps.ask(intruder.python(connect, data / "run/control.sock", data / "run/moto.sock"))
    )
    assert set(said) <= {"2", "13"}  # ENOENT where the app has a room of its own, else EACCES


def test_no_process_shows_it_a_key_or_where_the_roles_credentials_are(apps: Apps) -> None:
    keys = json.loads((apps.stack.data / "keys.json").read_text())
    secrets = [
        *(key["secret"][::-1] for key in keys),
        "AWS_CONTAINER_CREDENTIALS"[::-1],
        "SHEEN_TASK_TOKEN"[::-1],
    ]
    assert apps.ask(intruder.python(intruder.READABLE, *secrets)) == []


def test_the_credentials_endpoint_tells_nothing_to_who_does_not_know_its_path(apps: Apps) -> None:
    agents = [
        path
        for path in Path("/proc").glob("[0-9]*/environ")
        if str(apps.intruder["instance_id"]).encode() in _bytes(path)
    ]
    variables = dict(
        part.split("=", 1) for part in _bytes(agents[0]).decode().split("\0") if "=" in part
    )
    origin = variables["AWS_CONTAINER_CREDENTIALS_FULL_URI"].rsplit("/", 2)[0]
    fetch = (
        "import sys, urllib.error, urllib.request\nfor url in sys.argv[1:]:\n  try:\n    "
        "print(urllib.request.urlopen(url).read())\n"
        "  except urllib.error.HTTPError as error:\n    print(error.code)"
    )
    urls = [
        f"{origin}/",
        f"{origin}/credentials",
        f"{origin}//credentials",
        f"{origin}/{apps.intruder['instance_id']}/credentials",
    ]
    assert intruder.lines(apps.ask(intruder.python(fetch, *urls))) == ["404"] * 4


def test_its_own_agent_takes_no_orders_from_it(apps: Apps) -> None:
    for row in (apps.intruder, apps.victim):
        headers = json.dumps({"sheen-instance": row["instance_id"], "sheen-agent-key": "0" * 64})
        assert set(intruder.lines(apps.ask(intruder.python(ORDERS, row["address"], headers)))) == {
            "403"
        }


def test_the_other_apps_process_and_agent_are_closed(apps: Apps) -> None:
    marks = (
        str(apps.victim["instance_id"]).encode(),
        b"WORKER_ID=" + str(apps.victim["worker"]).encode(),
    )
    pids = [
        path.parent.name
        for path in Path("/proc").glob("[0-9]*/environ")
        if any(mark in _bytes(path) for mark in marks)
    ]
    assert len(pids) >= 2
    for pid in pids:
        said = intruder.lines(apps.ask(intruder.python(intruder.SYSCALLS, pid, "1000")))
        assert len(said) > 10 and not [line for line in said if "GOT IN" in line], said
        assert apps.ask(f"tools::pskill({pid}L, tools::SIGKILL)") is False


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""
