"""Archives that mean harm: nothing is written outside, nothing half done stays, and the author is
told which entry it was.
"""

import gzip
import io
import stat
import tarfile
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.publishing.errors import BadBundle
from chalicelib.publishing.limits import BundleLimits
from tasks.archive import check_path, read
from tests.support.archives import make_tar, make_zip

SMALL = BundleLimits(files=20, unpacked=10_000)


pytestmark = pytest.mark.filterwarnings("ignore:Duplicate name")
MAKERS = pytest.mark.parametrize("make", [make_zip, make_tar])
Make = Callable[..., bytes]


def unpack(data: bytes, where: Path, limits: BundleLimits = SMALL, top: str = "") -> list[str]:
    archive = where / "bundle"
    archive.write_bytes(data)
    (where / "target").mkdir()
    opened = read(archive, "b.zip", limits)
    return opened.unpack(opened.check(), where / "target", top)


def files_in(where: Path) -> dict[str, bytes]:
    target = where / "target"
    return {
        str(path.relative_to(target)): path.read_bytes()
        for path in target.rglob("*")
        if path.is_file()
    }


@MAKERS
def test_files_come_out_as_they_went_in(make: Make, tmp_path: Path) -> None:
    files = [
        ("app.R", b"1"),
        ("www/a b.png", bytes(range(256))),
        ("data/\u00fc.csv", b""),
        ("./x/./y", b"2"),
    ]
    unpack(make(files), tmp_path)
    assert files_in(tmp_path) == {
        "app.R": b"1",
        "www/a b.png": bytes(range(256)),
        "data/\u00fc.csv": b"",
        "x/y": b"2",
    }


@MAKERS
def test_one_top_folder_is_left_away(make: Make, tmp_path: Path) -> None:
    unpack(make([("hello/app.R", b"1"), ("hello/www/x", b"2")]), tmp_path, top="hello")
    assert files_in(tmp_path) == {"app.R": b"1", "www/x": b"2"}


@MAKERS
def test_what_a_mac_adds_is_ignored(make: Make, tmp_path: Path) -> None:
    unpack(
        make(
            [
                ("__MACOSX/._app.R", b"x"),
                ("._app.R", b"x"),
                ("www/.DS_Store", b"x"),
                ("app.R", b"1"),
            ]
        ),
        tmp_path,
    )
    assert files_in(tmp_path) == {"app.R": b"1"}


@MAKERS
def test_of_a_mode_the_execute_bit_is_kept_and_the_time_that_can_be_one(
    make: Make, tmp_path: Path
) -> None:
    times = {"app.R": 1_200_000_000, "tool.sh": 1_300_000_000, "no.sh": -5}
    modes = {
        "app.R": stat.S_IFREG | 0o666,
        "tool.sh": stat.S_IFREG | 0o6711,
        "no.sh": stat.S_IFREG | 0o011,
    }
    before = time.time()
    unpack(make([(name, b"1") for name in times], modes=modes, times=times), tmp_path)
    found = {name: (tmp_path / "target" / name).stat() for name in times}
    assert {name: stat.S_IMODE(about.st_mode) for name, about in found.items()} == {
        "app.R": 0o600,
        "tool.sh": 0o700,
        "no.sh": 0o600,
    }
    assert (found["app.R"].st_mtime, found["tool.sh"].st_mtime) == (1_200_000_000, 1_300_000_000)
    assert found["no.sh"].st_mtime > before - 5


@pytest.mark.parametrize("mtime", ["nan", "inf", "1e300", "-1e300"])
def test_a_time_that_cannot_be_one_is_not_kept(mtime: str, tmp_path: Path) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz", format=tarfile.PAX_FORMAT) as archive:
        info = tarfile.TarInfo("app.R")
        info.pax_headers = {"mtime": mtime}
        archive.addfile(info)
    before = time.time()
    unpack(out.getvalue(), tmp_path)
    assert (tmp_path / "target" / "app.R").stat().st_mtime > before - 5


@pytest.mark.parametrize("kind", [tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_devices_in_a_tar_are_refused(kind: bytes, tmp_path: Path) -> None:
    with pytest.raises(BadBundle, match="only files and folders are allowed"):
        unpack(make_tar([("app.R", b"1"), ("evil", b"")], {"evil": kind}), tmp_path)


@pytest.mark.parametrize("mode", [stat.S_IFCHR, stat.S_IFIFO, stat.S_IFSOCK])
def test_devices_in_a_zip_are_refused(mode: int, tmp_path: Path) -> None:
    with pytest.raises(BadBundle, match="only files and folders are allowed"):
        unpack(make_zip([("evil", b"")], {"evil": mode | 0o777}), tmp_path)


@MAKERS
def test_a_link_within_the_bundle_leads_where_it_did(make: Make, tmp_path: Path) -> None:
    files = [
        ("x/app.R", b"1"),
        ("x/www/logo", b"../data/logo.png"),
        ("x/data/logo.png", b"2"),
        ("x/more", b"data"),
    ]
    packed = make(files, {"x/www/logo": stat.S_IFLNK | 0o777, "x/more": stat.S_IFLNK | 0o777})
    unpack(packed, tmp_path, top="x")
    target = tmp_path / "target"
    assert (target / "www/logo").read_bytes() == b"2"
    assert (target / "more/logo.png").read_bytes() == b"2"
    assert {str((target / link).readlink()) for link in ("www/logo", "more")} == {
        "../data/logo.png",
        "data",
    }


def test_a_tar_of_nothing_without_end_is_stopped(tmp_path: Path) -> None:
    junk = tarfile.TarInfo("__MACOSX/x")
    junk.size = 30_000_000
    with pytest.raises(BadBundle, match="more than 10,000 bytes together"):
        unpack(gzip.compress(junk.tobuf() + bytes(30_000_000)), tmp_path)


def test_the_content_counts_and_not_the_name(tmp_path: Path) -> None:
    unpack(make_tar([("app.R", b"1")]), tmp_path)
    assert files_in(tmp_path) == {"app.R": b"1"}


names = st.one_of(
    st.lists(
        st.sampled_from(["..", ".", "", "a", "b", "\u00fc", "c:", "__MACOSX", "x\\y"]), max_size=5
    ).map("/".join),
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12),
)
entries = st.lists(st.tuples(names, st.binary(max_size=600)), min_size=1, max_size=6)


@given(entries, st.booleans(), st.lists(st.tuples(names, names), max_size=3))
@settings(deadline=None, max_examples=200)
def test_whatever_an_archive_says_nothing_is_written_outside(
    files: list[tuple[str, bytes]], as_zip: bool, links: list[tuple[str, str]]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        where = Path(folder)
        try:
            every = [*files, *((name, target.encode()) for name, target in links)]
            data = (make_zip if as_zip else make_tar)(
                every, {name: stat.S_IFLNK | 0o777 for name, _ in links}
            )
        except (ValueError, UnicodeError):
            return
        try:
            written = unpack(data, where)
        except BadBundle:
            written = None
        assert {path.name for path in where.iterdir()} == {"bundle", "target"}
        found = files_in(where)
        target = where / "target"
        made = [path for path in target.rglob("*") if path.is_symlink()]
        assert all(path.resolve(strict=True).is_relative_to(target.resolve()) for path in made)
        assert (
            sum(len(data) for path, data in found.items() if not (target / path).is_symlink())
            <= SMALL.unpacked
        )
        if written is not None:
            assert set(written) == set(found) | {str(path.relative_to(target)) for path in made}


@given(st.binary(max_size=400), st.booleans(), st.integers(0, 300))
@settings(deadline=None, max_examples=150)
def test_a_damaged_archive_is_a_bad_bundle_and_nothing_worse(
    noise: bytes, as_zip: bool, at: int
) -> None:
    whole = bytearray(
        make_zip([("app.R", b"1" * 50)]) if as_zip else make_tar([("app.R", b"1" * 50)])
    )
    at %= len(whole)
    whole[at : at + len(noise)] = noise
    with tempfile.TemporaryDirectory() as folder:
        try:
            unpack(bytes(whole), Path(folder))
        except BadBundle:
            return


@given(st.text(max_size=60))
def test_a_checked_path_stays_below_and_checks_the_same_again(name: str) -> None:
    try:
        path = check_path(name, 1, "b")
    except BadBundle:
        return
    assert not path.startswith("/")
    assert ".." not in path.split("/")
    assert check_path(path, 1, "b") == path


@MAKERS
def test_one_file_is_read_up_to_a_size_and_not_through_a_link(make: Make, tmp_path: Path) -> None:
    (tmp_path / "bundle").write_bytes(
        make([("a", b"123"), ("l", b"a")], {"l": stat.S_IFLNK | 0o777})
    )
    opened = read(tmp_path / "bundle", "b.zip", SMALL)
    assert opened.content("a", 3) == b"123"
    with pytest.raises(BadBundle, match=r"bundle b.zip: a has more than 2 bytes \(entry 1\)"):
        opened.content("a", 2)
    with pytest.raises(BadBundle, match=r"bundle b.zip: l is a link; make it a file \(entry 2\)"):
        opened.content("l", 9)
    with pytest.raises(KeyError):
        opened.content("b", 9)
