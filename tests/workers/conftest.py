"""Real R processes for the agent's tests, and none of them left behind."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from moto.server import ThreadedMotoServer

from agent.kinds import shiny_r
from agent.processes import fresh
from agent.processes.command import WorkerSpec
from agent.processes.preloaded import PreloadedProcess
from agent.processes.r_process import Starter
from agent.processes.worker import Worker
from chalicelib.apps.model import App, Version
from chalicelib.aws.tables import bind
from chalicelib.configuration.deployment import Settings
from chalicelib.instances.ceilings.model import Ceiling
from chalicelib.instances.model import Instance
from chalicelib.unix_ids.model import UnixUser
from tests.support.chromium_fixtures import chromium, page
from tests.support.connections import forget_connections
from tests.support.unix_id import UNIX_ID

__all__ = ["chromium", "page"]

TREE = Path(__file__).resolve().parents[2]
APPS = Path(__file__).parent / "apps"
SECRET = "5ec2e7" * 8

MakeSpec = Callable[..., WorkerSpec]


@pytest.fixture
def apps() -> Iterator[Path]:
    """A copy of the test apps where a user of R's own can read but not write them."""
    folder = Path(tempfile.mkdtemp(prefix="sheen-apps-"))
    shutil.copytree(APPS, folder / "apps")
    folder.chmod(0o755)
    for path in (folder / "apps").rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    yield folder / "apps"
    shutil.rmtree(folder)


@pytest.fixture
def spec(apps: Path) -> MakeSpec:
    """Makes the spec of a worker for one of the test apps."""

    def make(
        app: str, number: int = 1, init_timeout: float = 30.0, sanitize_errors: bool = True
    ) -> WorkerSpec:
        return WorkerSpec(
            runtime=shiny_r.RUNTIME,
            worker_id=f"20261120T000000Z-0000.0.{number}",
            directory=apps / app,
            unix_id=UNIX_ID if os.geteuid() == 0 else None,
            secret=SECRET,
            sanitize_errors=sanitize_errors,
            init_timeout=init_timeout,
        )

    return make


@pytest.fixture(scope="session")
def fork_library() -> Path:
    """What forks workers, built as the Makefile does."""
    built = TREE / "workers" / "r" / ".build" / "fork.so"
    source = TREE / "workers" / "r" / "fork.c"
    if not built.exists() or built.stat().st_mtime < source.stat().st_mtime:
        built.parent.mkdir(exist_ok=True)
        new = built.with_name(f"fork.{os.getpid()}")
        subprocess.run(
            ["gcc", "-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o", new, source],
            check=True,
        )
        new.rename(built)
    return built


@pytest.fixture(scope="session")
def preloaded(fork_library: Path) -> Iterator[PreloadedProcess]:
    """An R from which workers can be forked, for all tests."""
    preloaded = PreloadedProcess()
    yield preloaded
    preloaded.close()


@pytest.fixture
def starter() -> Starter:
    """How R is started; tests that hold for forked workers as well override it."""
    return fresh.start


@pytest.fixture
async def started(
    spec: MakeSpec, starter: Starter
) -> AsyncIterator[Callable[..., Awaitable[Worker]]]:
    """Starts workers, and ends them all after the test."""
    workers: list[Worker] = []

    async def start(app: str, **options: object) -> Worker:
        worker = Worker(spec(app, number=len(workers) + 1, **options), starter=starter)
        workers.append(worker)
        await worker.start()
        return worker

    yield start
    for worker in workers:
        await worker.stop()


@pytest.fixture(scope="module")
def tables() -> Iterator[None]:
    """The tables, in moto."""
    server = ThreadedMotoServer(port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    aws = {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "AKIAAGENT",
        "AWS_SECRET_ACCESS_KEY": "the agent's own",
        "SHEEN_BUCKET": "bucket",
        "SHEEN_TABLE_PREFIX": "agent-test-",
        "SHEEN_WEBSOCKET_URL": "/socket",
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in aws.items():
            patch.setenv(name, value)
        bind(Settings.from_environment(), App, Version, Instance, Ceiling, UnixUser)
        forget_connections(App, Version, Instance, Ceiling, UnixUser)
        for table in (App, Version, Instance, Ceiling, UnixUser):
            table.create_table(billing_mode="PAY_PER_REQUEST", wait=True)
        yield
    server.stop()
