"""What nobody uses leaves the cache, and nothing else does."""

import os
from pathlib import Path

from tasks.packages.cache import Cache
from tasks.packages.sweep import EVERY, UNUSED, sweep

NOW = 2_000_000_000.0


def entry(cache: Cache, name: str, age: float) -> Path:
    library = cache.library(f"{name}/1.0-abc")
    (library / name).mkdir(parents=True)
    (library / name / "DESCRIPTION").write_text("x")
    os.utime(library, (NOW - age, NOW - age))
    return library


def test_old_entries_that_no_library_links_to_are_removed(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "packages", "R-4.2-x")
    cache.prepare()
    old, new, linked = (
        entry(cache, "old", UNUSED + 1),
        entry(cache, "new", UNUSED - 60),
        entry(cache, "linked", UNUSED * 3),
    )
    library = tmp_path / "apps" / "0123" / "v1.library"
    library.mkdir(parents=True)
    (library / "linked").symlink_to(os.path.relpath(linked / "linked", library))
    (library / "own").mkdir()
    sources = tmp_path / "packages" / "sources" / "cran"
    sources.mkdir(parents=True)
    for name, age in (("a.tar.gz", UNUSED + 1), ("b.tar.gz", 60.0)):
        (sources / name).touch()
        os.utime(sources / name, (NOW - age, NOW - age))
    assert sweep(cache.folder, tmp_path / "apps", NOW) == [
        "R-4.2-x/old/1.0-abc",
        "sources/cran/a.tar.gz",
    ]
    assert not old.exists()
    assert new.is_dir()
    assert (library / "linked" / "DESCRIPTION").read_text() == "x"
    assert (sources / "b.tar.gz").exists()
    assert list(cache.incoming.iterdir()) == []


def test_a_use_keeps_an_entry(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "packages", "R-4.2-x")
    cache.prepare()
    entry(cache, "used", UNUSED * 20)
    assert cache.use("used/1.0-abc")
    assert not cache.use("never/1.0-abc")
    assert sweep(cache.folder, tmp_path / "apps") == []
    assert cache.use("used/1.0-abc")


def test_it_sweeps_once_a_day_and_nothing_where_there_is_no_cache(tmp_path: Path) -> None:
    assert sweep(tmp_path / "packages", tmp_path / "apps", NOW) == []
    cache = Cache(tmp_path / "packages", "R-4.2-x")
    cache.prepare()
    assert sweep(cache.folder, tmp_path / "apps", NOW) == []
    entry(cache, "old", UNUSED + 1)
    assert sweep(cache.folder, tmp_path / "apps", NOW + EVERY - 1) == []
    assert sweep(cache.folder, tmp_path / "apps", NOW + EVERY + 1) == ["R-4.2-x/old/1.0-abc"]
