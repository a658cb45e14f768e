"""Syncs beside ``aws s3 sync``: the same objects of the same S3 into the same kind of folder, one
after the other, several times in turn.

``python -m benchmarks sync``. Ours is what the copy task and the local DataSync run (tasks/mirror),
each in a process of its own, its start included, as awscli's is. On AWS it is DataSync that copies
what is not urgent, and nobody has measured that here.
"""

import argparse
import asyncio
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

TREE = Path(__file__).resolve().parents[1]
ROUNDS = 3
RESULTS = TREE / ".build" / "benchmarks" / "sync.json"
AWSCLI = "aws s3 sync"
OURS = "sheen"
"""As careful as awscli: it neither verifies nor has files on the disk."""
WANTED = {"small": 3.0, "large": 1.0}
"""Times as fast as awscli."""
_OURS = """
import sys
from pathlib import Path
from tasks.mirror.s3 import Bucket
from tasks.mirror.work import MirrorJob, Mirror, MirrorOutcome
prefix, folder, careful = sys.argv[1:]
outcome = MirrorOutcome()
Path(folder).mkdir()
job = MirrorJob(prefix, Path(folder), Path(folder + ".incoming"), verify="transferred" if int(careful) else "none", durable=bool(int(careful)))
Mirror(job, Bucket.from_environment("data"), outcome).run()
assert not outcome.files_failed, outcome.failures
"""  # noqa: E501


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


def ours(prefix: str, folder: Path, *, careful: bool) -> list[str]:
    """Return the command of a mirror; ``careful``: each file is read back and on the disk before it
    gets its name.
    """
    return [sys.executable, "-c", _OURS, f"{prefix}/", str(folder), str(int(careful))]


def awscli(prefix: str, folder: Path) -> list[str]:
    """Return awscli's."""
    return [
        str(Path(sys.executable).parent / "aws"),
        "s3",
        "sync",
        "--quiet",
        f"s3://data/{prefix}/",
        str(folder),
    ]


WAYS: dict[str, Callable[[str, Path], list[str]]] = {
    AWSCLI: awscli,
    OURS: lambda prefix, folder: ours(prefix, folder, careful=False),
    "sheen, verified, fsync": lambda prefix, folder: ours(prefix, folder, careful=True),
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
    """Return the median seconds of each way; the ways take turns, so that what else the machine
    does hits all of them.
    """
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
    base = found[AWSCLI]
    print(f"\n{count:,} {kind} files of {size:,} bytes, median of {ROUNDS} rounds")
    print(f"{'':26}{'seconds':>9}{'files/s':>10}{'MB/s':>9}{'x awscli':>10}")
    for way, took in found.items():
        print(
            f"{way:26}{took:9.2f}{count / took:10.1f}{count * size / took / 1e6:9.1f}{base / took:10.1f}",  # noqa: E501
            flush=True,
        )


def goals(found: dict[str, dict[str, float]]) -> list[str]:
    """Say of each goal whether it was met."""
    ratios = {kind: times[AWSCLI] / times[OURS] for kind, times in found.items()}
    return [
        (
            f"{kind}: {ratio:.1f} x awscli, wanted {WANTED[kind]:.0f}: "
            f"{'met' if ratio >= WANTED[kind] else 'missed'}"
        )
        for kind, ratio in ratios.items()
    ]


def measure_all(small: int, large: int, megabytes: int, results: Path) -> None:
    """Measure, show, and write the results."""
    from tests.support.s3_stand import LATENCY, SMALL_BYTES

    size = megabytes << 20
    with s3(small, large, size) as environment:
        print(f"S3 answers after {LATENCY * 1000:.0f} ms")
        found = {}
        for kind, count, each in (("small", small, SMALL_BYTES), ("large", large, size)):
            found[kind] = measure(kind, count, each, environment)
            show(kind, count, each, found[kind])
    verdicts = goals(found)
    print("", *verdicts, sep="\n")
    results.parent.mkdir(parents=True, exist_ok=True)
    results.write_text(
        json.dumps(
            {
                "small": small,
                "large": large,
                "large_mb": megabytes,
                "seconds": found,
                "goals": verdicts,
            },
            indent=1,
        )
    )


async def run(options: Sequence[str]) -> None:
    """Measure with these command-line options."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks sync")
    parser.add_argument("--small", type=int, default=5000, metavar="N", help="small files")
    parser.add_argument("--large", type=int, default=4, metavar="N", help="large files")
    parser.add_argument("--mb", type=int, default=128, metavar="N", help="MB of a large file")
    parser.add_argument(
        "--json", type=Path, default=RESULTS, metavar="PATH", help="where results go"
    )
    given = parser.parse_args(options)
    await asyncio.to_thread(measure_all, given.small, given.large, given.mb, given.json)
