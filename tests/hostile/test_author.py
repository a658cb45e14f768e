"""An author who means harm, and an honest app beside: what he tries is listed with what must
happen, and the honest app goes on.
"""

import json
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

import pytest

from tests.support import intruder
from tests.support.stack import StackProcess
from tests.support.waiting import until

pytestmark = [
    pytest.mark.stack,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can give each app its own user"),
]
APPS = Path(__file__).parent / "apps"

WORKERS_FOLDER = "normalizePath(file.path(Sys.getenv('HOME'), '..'))"
EFS = "dirname(dirname(Sys.getenv('SHEEN_APP_DATA')))"
DEEP = """
import os
os.chdir(os.environ["TMPDIR"])
for _ in range(1500):
    os.mkdir("d"); os.chdir("d")
print("made")
"""
STAYS = """
import ctypes, os, signal, time
if os.fork() == 0:
    os.setsid()
    ctypes.CDLL(None).prctl(4, 0, 0, 0, 0)
    for number in (1, 2, 15): signal.signal(number, signal.SIG_IGN)
    os.closerange(0, 100)
    os.execve("/usr/bin/python3", ["python3", "-I", "-S", "-c", "import time; time.sleep(900)"], {})
print("left")
"""
LIMITS = (
    "import resource as r; print(*(r.getrlimit(getattr(r, 'RLIMIT_' + name))[0] for name in "
    "('CORE', 'NPROC', 'FSIZE')))"
)


class Try(NamedTuple):
    """One thing that the author's app does, as R code, and whether what it says is what must be."""

    code: str
    must: Callable[[str], bool]


def refused(said: str) -> bool:
    return "refused" in said or "denied" in said or "cannot" in said


TRIES = {
    "replace the script that root wrote for it": Try(
        f"unlink(file.path({WORKERS_FOLDER}, 'start.R')) == 0", lambda said: said == "[false]"
    ),
    "lay a link where root writes": Try(
        f"file.symlink('/etc/passwd', file.path({WORKERS_FOLDER}, 'link'))", refused
    ),
    "lay a FIFO where root writes": Try(
        intruder.shell("mkfifo $HOME/../fifo && echo made"), lambda said: "made" not in said
    ),
    "see another worker's folder": Try(
        f"setdiff(list.files('/tmp', '^sheen-worker-'), basename({WORKERS_FOLDER}))",
        lambda said: said in ("[]", "{}"),
    ),
    "name a catalogue for root's programs": Try(
        "Sys.getenv('LANGUAGE')", lambda said: "sheen-hostile" in said
    ),
    "fork without end": Try(
        intruder.python(LIMITS), lambda said: said == f'["0 1000 {8 * 1024**3}"]'
    ),
    "become another user": Try(
        intruder.python("import os; os.setuid(0)"), lambda said: "Operation not permitted" in said
    ),
    "change its version's code": Try(
        f"cat('x', file = Sys.glob(file.path({EFS}, 'apps', '*', '*', 'app.R'))[1])", refused
    ),
    "write in its instance's own copy": Try(
        "{ writeLines('1', 'own.txt'); file.exists('own.txt') }", lambda said: said == "[true]"
    ),
    "leave a folder that is too deep to be removed": Try(
        intruder.python(DEEP), lambda said: said == '["made"]'
    ),
    "leave a FIFO, a socket and a loop of links": Try(
        intruder.shell("cd $TMPDIR && mkfifo fifo && ln -s loop loop && ln -s / root && echo made"),
        lambda said: "made" in said,
    ),
    "leave a process that hides": Try(intruder.python(STAYS), lambda said: said == '["left"]'),
}


class Apps:
    """Both apps, awake."""

    def __init__(self, stack: StackProcess) -> None:
        self.stack = stack
        for name in ("honest", "author"):
            stack.publish(APPS / name, f"/hostile/{name}")
            stack.wake_json(f"/hostile/{name}/?r=1")

    def does(self, code: str) -> str:
        """Return what the author's app says to code."""
        return json.dumps(
            json.loads(self.stack.get(f"/hostile/author/?r={quote(code)}").body)["value"]
        )

    def app_id(self, name: str) -> str:
        row = self.stack.instance_of(f"/hostile/{name}")
        assert row is not None
        return str(row["version_id"]).partition(".")[0]

    @property
    def honest_is_well(self) -> bool:
        return (
            "the honest app's private data"
            in self.stack.get("/hostile/honest/", {"accept": "text/html"}).text
        )


@pytest.fixture(scope="module")
def apps(stack: StackProcess) -> Iterator[Apps]:
    apps = Apps(stack)
    yield apps
    assert apps.honest_is_well


@pytest.mark.parametrize("what", TRIES)
def test_what_an_author_tries_has_the_end_that_it_must_have(apps: Apps, what: str) -> None:
    said = apps.does(TRIES[what].code)
    assert TRIES[what].must(said), said


def test_another_apps_data_and_code_are_not_there(apps: Apps) -> None:
    honest = apps.app_id("honest")
    for kind in ("data", "apps", "bookmarks"):
        folder = apps.stack.efs / kind / honest
        assert folder.is_dir()
        assert apps.does(f"dir.exists('{folder}')") == "[false]"
        assert refused(apps.does(f"file('{folder}/own.txt', 'r')"))


def test_a_link_in_place_of_its_socket_leads_nowhere(apps: Apps) -> None:
    """The control socket answers whoever reaches it; root could."""
    control = apps.stack.data / "run" / "control.sock"
    place = f"file.path({WORKERS_FOLDER}, 'run', 'r.sock')"
    swap = (
        f"{{ file.rename({place}, file.path({WORKERS_FOLDER}, 'run', 'aside')); "
        f"file.symlink('{control}', {place}) }}"
    )
    assert apps.does(swap) == "[true]"
    answers = [
        apps.stack.get(path) for path in ("/hostile/author/counters",) * 3
    ]  # by more than a kept connection
    with socket.socket(socket.AF_UNIX) as works:
        works.connect(str(control))  # it is there, and root can
    assert not any("run_tasks" in answer.text for answer in answers)


def test_nothing_that_it_left_keeps_its_instance_from_ending(apps: Apps) -> None:
    user = (apps.stack.efs / "data" / apps.app_id("author")).stat().st_uid
    assert len(processes_of(user)) > 1
    apps.stack.sheen("archive", "/hostile/author")
    until(lambda: not processes_of(user), 25, "its processes to end, before ECS ends the task")
    assert (apps.stack.instance_of("/hostile/author") or {})["state"] == "STOPPED"
    assert apps.honest_is_well


def processes_of(user: int) -> list[int]:
    found = []
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            text = status.read_text()
        except OSError:
            continue
        if f"Uid:\t{user}\t" in text and "State:\tZ" not in text:
            found.append(int(status.parent.name))
    return found
