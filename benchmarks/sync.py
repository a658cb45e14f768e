"""Syncs beside ``aws s3 sync``: the same objects of the same S3 into the same kind of folder, one after the other, several times in turn.

``python -m benchmarks.sync [SMALL] [LARGE] [LARGE_MB]``. Ours is what the copy task and the local DataSync run (tasks/mirror), each in a
process of its own, its start included, as awscli's is.
"""

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

TREE = Path(__file__).resolve().parents[1]
ROUNDS = 3
_OURS = """
import sys
from pathlib import Path
from tasks.mirror.s3 import Bucket
from tasks.mirror.work import Job, Mirror, Outcome
prefix, folder, durable = sys.argv[1:]
outcome = Outcome()
Path(folder).mkdir()
job = Job(prefix, Path(folder), Path(folder + ".incoming"), durable=bool(int(durable)))
Mirror(job, Bucket.from_environment("data"), outcome).run()
assert not outcome.files_failed, outcome.failures
"""


@contextmanager
def s3(small: int, large: int, large_bytes: int) -> Iterator[dict[str, str]]:
    """Run the stand; give the environment that points clients at it."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.support.s3_stand", str(small), str(large), str(large_bytes)],
        cwd=TREE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    port = process.stdout.readline().strip()
    try:
        yield {
            "PATH": os.environ["PATH"],
            "HOME": tempfile.gettempdir(),
            "PYTHONPATH": f"{TREE}:{TREE / 'chalice_app'}:{TREE / 'workers'}",
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
            "AWS_ACCESS_KEY_ID": "benchmark",
            "AWS_SECRET_ACCESS_KEY": "benchmark",
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
        }
    finally:
        process.kill()
        process.wait()


def ours(prefix: str, folder: Path, *, durable: bool) -> list[str]:
    """Return the command of a mirror."""
    return [sys.executable, "-c", _OURS, f"{prefix}/", str(folder), str(int(durable))]


def awscli(prefix: str, folder: Path) -> list[str]:
    """Return awscli's."""
    return [str(Path(sys.executable).parent / "aws"), "s3", "sync", "--quiet", f"s3://data/{prefix}/", str(folder)]


WAYS: dict[str, Callable[[str, Path], list[str]]] = {
    "aws s3 sync": awscli,
    "sheen (DataSync, local)": lambda prefix, folder: ours(prefix, folder, durable=False),
    "sheen (copy task, fsync)": lambda prefix, folder: ours(prefix, folder, durable=True),
}


def seconds(command: list[str], environment: dict[str, str]) -> float:
    """Return how long a command takes; raise when it fails."""
    started = time.monotonic()
    subprocess.run(command, cwd=TREE, env=environment, check=True)
    return time.monotonic() - started


def check(folder: Path, count: int, size: int) -> None:
    """All files are there, whole."""
    found = [path for path in folder.rglob("*") if path.is_file()]
    assert len(found) == count, f"{folder}: {len(found)} of {count} files"
    assert all(path.stat().st_size == size for path in found)


def measure(kind: str, count: int, size: int, environment: dict[str, str]) -> dict[str, float]:
    """Return the median seconds of each way; the ways take turns, so that what else the machine does hits all of them."""
    times: dict[str, list[float]] = {way: [] for way in WAYS}
    for _ in range(ROUNDS):
        for way, command in WAYS.items():
            scratch = Path(tempfile.mkdtemp(prefix="sheen-sync-"))
            try:
                folder = scratch / "out"
                times[way].append(seconds(command(kind, folder), environment))
                check(folder, count, size)
            finally:
                shutil.rmtree(scratch)
    return {way: statistics.median(found) for way, found in times.items()}


def show(kind: str, count: int, size: int, found: dict[str, float]) -> None:
    """Print a table."""
    base = found["aws s3 sync"]
    print(f"\n{count:,} {kind} files of {size:,} bytes")
    print(f"{'':26}{'seconds':>9}{'files/s':>10}{'MB/s':>9}{'x awscli':>10}")
    for way, took in found.items():
        print(f"{way:26}{took:9.2f}{count / took:10.0f}{count * size / took / 1e6:9.1f}{base / took:10.1f}")


def main() -> None:
    """Measure and show."""
    from tests.support.s3_stand import SMALL_BYTES

    given = [int(argument) for argument in sys.argv[1:]]
    small, large, megabytes = (*given, *(5000, 4, 128)[len(given) :])
    with s3(small, large, megabytes << 20) as environment:
        show("small", small, SMALL_BYTES, measure("small", small, SMALL_BYTES, environment))
        show("large", large, megabytes << 20, measure("large", large, megabytes << 20, environment))


if __name__ == "__main__":
    main()
