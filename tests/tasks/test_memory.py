"""A large bundle is unpacked in bounded memory: what counts is how many files there are, not how
large they are.

``SHEEN_BUNDLE_TEST_GB`` makes it larger (0.6; 5 is the most that a deployment allows).
"""

import io
import os
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from chalicelib.publishing import manifest
from tests.tasks.hostile_archives import crowded_zip

GIGABYTES = float(os.environ.get("SHEEN_BUNDLE_TEST_GB", "0.6"))
MOST_MB = 200
"""Of the whole process, interpreter and libraries included."""
MOST_GROWTH_MB = 16
"""From a bundle of a few files of a few bytes to a large one."""

CHILD = """
import re, sys
from pathlib import Path
import tasks.build
from chalicelib.publishing import manifest
from chalicelib.publishing.errors import BadBundle
from chalicelib.publishing.limits import BundleLimits
from tasks.archive import read
archive, target = Path(sys.argv[1]), Path(sys.argv[2])
opened = read(archive, archive.name, BundleLimits(unpacked=5 * 1024**3))
try:
    inventory = opened.check()
    if manifest.FILE in inventory.paths:
        manifest.parse(opened.content(manifest.FILE, manifest.LARGEST))
    opened.unpack(inventory, target)
except BadBundle as error:
    print(error, file=sys.stderr)
# Not ru_maxrss, which the test's own process hands down when it forks.
print(int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]) // 1024)
"""


class Hardly:
    """A file that packs to a fiftieth, which a bundle may: a little noise, and then nothing, again
    and again.
    """

    def __init__(self, size: int) -> None:
        self._left = size
        self._random = Random(1)

    def read(self, most: int = -1) -> bytes:
        size = min(self._left, 1 << 20 if most < 0 else most)
        self._left -= size
        return (self._random.randbytes(size // 48) + bytes(size))[:size]


def large_tar(path: Path, size: int) -> None:
    with tarfile.open(path, "w:gz", compresslevel=1) as archive:
        for number in range(2):
            info = tarfile.TarInfo(f"data{number}.bin")
            info.size = size // 2
            archive.addfile(info, Hardly(size // 2))
        archive.addfile(tarfile.TarInfo("app.R"), io.BytesIO())


def large_zip(path: Path, size: int) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for number in range(2):
            source = Hardly(size // 2)
            with archive.open(f"data{number}.bin", "w", force_zip64=True) as file:
                while block := source.read():
                    file.write(block)
        archive.writestr("app.R", b"")


def peak(archive: Path, target: Path) -> int:
    """Megabytes that it takes to check and unpack an archive."""
    target.mkdir()
    tree = Path(__file__).resolve().parents[2]
    environment = {**os.environ, "PYTHONPATH": f"{tree}:{tree}/chalice_app:{tree}/workers"}
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(archive), str(target)],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return int(done.stdout)


@pytest.mark.parametrize("make", [large_tar, large_zip])
def test_a_large_bundle_takes_no_more_memory_than_a_small_one(
    make: Callable[[Path, int], None], tmp_path: Path
) -> None:
    size = int(GIGABYTES * 1024**3)
    make(tmp_path / "small", 1000)
    make(tmp_path / "large", size)
    small, large = (
        peak(tmp_path / "small", tmp_path / "a"),
        peak(tmp_path / "large", tmp_path / "b"),
    )
    assert sum(path.stat().st_size for path in (tmp_path / "b").iterdir()) >= size - 2
    assert large < MOST_MB
    assert large - small < MOST_GROWTH_MB, (
        f"{small} MB for a small bundle, {large} MB for {size:,} bytes"
    )


@pytest.mark.parametrize("make", ["tar", "zip"])
def test_as_many_files_as_there_may_be_fit_too(make: str, tmp_path: Path) -> None:
    path = tmp_path / "many"
    names = [f"{'d' * 60}/{number:04}/{'n' * 120}.csv" for number in range(6000)]
    if make == "tar":
        with tarfile.open(path, "w:gz", compresslevel=1) as archive:
            for name in names:
                archive.addfile(tarfile.TarInfo(name), io.BytesIO())
    else:
        with zipfile.ZipFile(path, "w") as packed:
            for name in names:
                packed.writestr(name, b"")
    assert peak(path, tmp_path / "target") < MOST_MB


def deep_tar(path: Path) -> None:
    """Each file in folders of its own, as deep as they may be, of names that take four bytes for
    each letter.
    """
    with tarfile.open(path, "w:gz", compresslevel=1) as archive:
        for number in range(6000):
            archive.addfile(
                tarfile.TarInfo("/".join([f"\U0001f600{number}", *["d" * 14] * 61, "x"]))
            )


def crowded(path: Path) -> None:
    path.write_bytes(crowded_zip(1_000_000))


def bloated_manifest(path: Path) -> None:
    """All that a manifest may have, of what takes most memory when it is read."""
    lists = b"[]," * (manifest.LARGEST // 3 - 50)
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr(
            manifest.FILE, b'{"metadata": {"appmode": "shiny"}, "packages": [' + lists + b"[]]}"
        )


def long_junk_tar(path: Path) -> None:
    """As many entries as there may be, that nobody wants, with the longest names that are read."""
    with tarfile.open(path, "w:gz", compresslevel=1, format=tarfile.GNU_FORMAT) as archive:
        for number in range(24_000):
            archive.addfile(tarfile.TarInfo(f"__MACOSX/{number}{'n' * 40_000}"))


@pytest.mark.parametrize("make", [deep_tar, crowded, bloated_manifest, long_junk_tar])
def test_a_bundle_that_is_made_to_take_memory_takes_no_more(
    make: Callable[[Path], None], tmp_path: Path
) -> None:
    make(tmp_path / "hostile")
    assert peak(tmp_path / "hostile", tmp_path / "target") < MOST_MB
