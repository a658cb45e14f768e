"""Whatever the keys are that somebody writes into a bucket, nothing outside the folder is
touched.
"""

import contextlib
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.syncs.keys import unfit
from tasks.mirror.s3 import Bucket
from tasks.mirror.tree import ImpossiblePath, MirrorTree
from tasks.mirror.work import Mirror, MirrorJob, MirrorOutcome
from tests.support.s3_stand import Stand, Store

NAMES = st.sampled_from(["..", ".", "", "a", "b", "other", "data", "f", "nul\0", "x" * 256, "ä |+"])
KEYS = st.lists(NAMES, min_size=1, max_size=6).map("/".join).filter(bool)


class World:
    """A sync's folder, and what else there is."""

    def __init__(self, top: Path) -> None:
        self.top = top
        self.folder, self.incoming = top / "synced/sales/data", top / "synced/sales/.incoming"
        self.folder.mkdir(parents=True)
        for other in ("synced/other/data/f", "synced/f", "f", "a/b"):
            (top / other).parent.mkdir(parents=True, exist_ok=True)
            (top / other).write_bytes(b"another's")

    def outside(self) -> dict[str, tuple[int, bytes]]:
        own = (self.folder, self.incoming)
        return {
            str(path): (path.stat().st_mode, path.read_bytes() if path.is_file() else b"")
            for path in self.top.rglob("*")
            if not any(path.is_relative_to(each) for each in own)
        }


@contextlib.contextmanager
def world() -> Iterator[World]:
    with tempfile.TemporaryDirectory() as top:
        yield World(Path(top))


@pytest.fixture(scope="module")
def store() -> Store:
    return Store()


@pytest.fixture(scope="module")
def bucket(store: Store) -> Iterator[Bucket]:
    with Stand(store) as url:
        yield Bucket("data", Credentials("key", "secret"), "us-east-1", url)


@given(st.lists(KEYS, min_size=1, max_size=8, unique=True))
def test_no_urgent_key_leads_out_of_the_folder_and_each_is_dealt_with(
    store: Store, bucket: Bucket, keys: list[str]
) -> None:
    store.objects.clear()
    for key in keys:
        store.put(f"p/{key}", b"new")
    outcome = MirrorOutcome()
    with world() as place:
        before = place.outside()
        Mirror(MirrorJob("p/", place.folder, place.incoming), bucket, outcome).keys(
            dict.fromkeys(keys, 3)
        )
        assert place.outside() == before
        unfitting = {key for key in keys if unfit(key) is not None}
        assert unfitting <= {path for path, _ in outcome.failures}
        fit = [key for key in keys if key not in unfitting]
        if not any(
            other is not key and other.startswith(f"{key.removesuffix('/')}/")
            for key in fit
            for other in fit
        ):
            assert len(outcome.failures) == len(unfitting)
            assert all(
                (place.folder / key).is_dir()
                if key.endswith("/")
                else (place.folder / key).is_file()
                for key in fit
            )


@given(KEYS)
def test_the_folder_itself_refuses_paths_that_lead_out_of_it(path: str) -> None:
    with world() as place:
        before = place.outside()
        tree = MirrorTree(place.folder, place.incoming, durable=False)
        name, descriptor = tree.new_file()
        acts: tuple[Callable[[], object], ...] = (
            lambda: tree.settle(name, descriptor, path, 1),
            lambda: os.close(tree.read(path)),
            lambda: tree.make_folder(f"{path}/"),
            lambda: tree.remove(path),
        )
        for act in acts:
            if unfit(path) is None:
                with contextlib.suppress(OSError):
                    act()
            else:
                with pytest.raises((ImpossiblePath, FileNotFoundError)):
                    act()
        assert place.outside() == before
        os.close(descriptor)
        tree.close()


def test_a_fifo_in_a_files_place_is_not_waited_for() -> None:
    with world() as here:
        os.mkfifo(here.folder / "f")
        tree = MirrorTree(here.folder, here.incoming, durable=False)
        with pytest.raises(ImpossiblePath, match="no regular file"):
            tree.read("f")
        tree.close()
