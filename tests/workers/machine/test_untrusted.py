import os
import resource
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from machine.untrusted import REMOVING, Budget, Folder, Unremoved, Unsafe, peer

STRANGER = 54_321
root_only = pytest.mark.skipif(os.geteuid() != 0, reason="makes files of other users")


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Folder]:
    with Folder.at(tmp_path) as opened:
        yield opened


def deep(folder: Path, levels: int) -> None:
    """Make a tree of so many levels, deeper than any path can be."""
    folder.mkdir()
    at = os.open(folder, os.O_RDONLY)
    for _ in range(levels):
        os.mkdir("d", dir_fd=at)
        below = os.open("d", os.O_RDONLY, dir_fd=at)
        os.close(at)
        at = below
    os.close(os.open("file", os.O_WRONLY | os.O_CREAT, dir_fd=at))
    os.close(at)


# Reading and making


def test_a_file_is_read(folder: Folder, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "file").write_bytes(b"content")
    with folder.enter("a") as below:
        assert below.read("file", 7) == b"content"
        with pytest.raises(Unsafe, match=r"a/file: has more than 6 bytes"):
            below.read("file", 6)


@pytest.mark.parametrize(
    "kind",
    ["link", "dangling", "fifo", "socket", "folder", pytest.param("device", marks=root_only)],
)
def test_what_is_no_regular_file_is_not_opened_and_not_waited_for(
    folder: Folder, tmp_path: Path, kind: str
) -> None:
    (tmp_path / "target").write_bytes(b"secret")
    trap = tmp_path / "trap"
    match kind:
        case "link":
            trap.symlink_to("target")
        case "dangling":
            trap.symlink_to("nowhere")
        case "fifo":
            os.mkfifo(trap)
        case "socket":
            with socket.socket(socket.AF_UNIX) as bound:
                bound.bind(str(trap))
        case "folder":
            trap.mkdir()
        case "device":
            os.mknod(trap, stat.S_IFCHR | 0o600, os.makedev(1, 5))
    with pytest.raises(Unsafe, match="trap"):
        folder.open("trap")


@root_only
def test_a_file_of_another_user_or_with_another_name_is_not_opened_for_an_owner(
    folder: Folder, tmp_path: Path
) -> None:
    theirs, twice, ours = tmp_path / "theirs", tmp_path / "twice", tmp_path / "ours"
    for path in (theirs, twice, ours):
        path.write_bytes(b"x")
    os.chown(theirs, STRANGER, STRANGER)
    (tmp_path / "again").hardlink_to(twice)
    for name in ("theirs", "twice"):
        with pytest.raises(Unsafe, match="user 0's own"):
            folder.open(name, owner=0)
    with folder.open("ours", owner=0) as file:
        assert file.read() == b"x"


@pytest.mark.parametrize("path", ["link", "link/below", "a/../..", "", "/etc", "a//b", "file"])
def test_no_way_leads_out_of_the_folder(folder: Folder, tmp_path: Path, path: str) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "link").symlink_to("a")
    (tmp_path / "file").touch()
    with pytest.raises(Unsafe):
        folder.enter(path)


def test_a_missing_folder_is_named(folder: Folder, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as raised:
        folder.enter("no/such")
    assert raised.value.filename == str(tmp_path / "no")


@pytest.mark.parametrize("kind", ["link", "fifo", "file"])
def test_a_new_file_takes_no_name_that_is_taken(folder: Folder, tmp_path: Path, kind: str) -> None:
    victim, trap = tmp_path / "victim", tmp_path / "trap"
    victim.write_bytes(b"as it was")
    match kind:
        case "link":
            trap.symlink_to("victim")
        case "fifo":
            os.mkfifo(trap)
        case "file":
            trap.hardlink_to(victim)
    with pytest.raises(FileExistsError):
        folder.write("trap", b"new")
    assert victim.read_bytes() == b"as it was"


def test_modes_are_exact_whatever_the_umask_is(folder: Folder, tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        folder.write("file", b"", 0o644)
        folder.make("folder", 0o711).close()
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o644
    assert stat.S_IMODE((tmp_path / "folder").stat().st_mode) == 0o711


@root_only
def test_a_folder_is_given_away_by_descriptor_whatever_its_name_leads_to_by_then(
    folder: Folder, tmp_path: Path
) -> None:
    victim = tmp_path / "victim"
    victim.mkdir()
    with folder.make("data") as data:
        (tmp_path / "data").rename(tmp_path / "elsewhere")
        (tmp_path / "data").symlink_to("victim")
        data.give(STRANGER, STRANGER)
    assert victim.stat().st_uid == 0
    assert (tmp_path / "elsewhere").stat().st_uid == STRANGER


def test_a_link_is_no_folder_that_is_there_already(folder: Folder, tmp_path: Path) -> None:
    (tmp_path / "victim").mkdir()
    (tmp_path / "data").symlink_to("victim")
    with pytest.raises(Unsafe, match="data"):
        folder.make("data", exist_ok=True)


def test_links_are_followed_where_that_is_asked_for_and_only_within_the_folder(
    folder: Folder, tmp_path: Path
) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "file").write_bytes(b"here")
    (tmp_path / "to_b").symlink_to("a/b/")
    (tmp_path / "a" / "up").symlink_to("../to_b/./file")
    (tmp_path / "name").symlink_to("a/up")
    for path in ("name", "to_b/file", "a/up"):
        assert folder.read_linked(path, 4) == b"here"
    (tmp_path / "out").symlink_to(f"../{tmp_path.name}/a/b/file")
    (tmp_path / "absolute").symlink_to(tmp_path / "a" / "b" / "file")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "fifo_link").symlink_to("fifo")
    os.mkfifo(tmp_path / "fifo")
    for path in ("out", "absolute", "loop", "fifo_link", "../x", "name/x"):
        with pytest.raises(OSError, match=r"out|no end|no regular|folder|name of a file"):
            folder.read_linked(path, 4)


@root_only
def test_a_link_of_roots_own_is_followed_where_that_is_asked_for_and_no_other(
    folder: Folder, tmp_path: Path
) -> None:
    outside = tmp_path.with_name(f"{tmp_path.name}-outside")
    outside.mkdir()
    (outside / "file").write_bytes(b"x")
    for name in ("mine", "theirs"):
        (tmp_path / name).symlink_to(outside)
    os.lchown(tmp_path / "theirs", STRANGER, STRANGER)
    with folder.enter_own("mine") as entered:
        assert entered.read("file", 1) == b"x"
    with pytest.raises(Unsafe, match="another user"):
        folder.enter_own("theirs")


# Walking


def test_a_walk_yields_everything_and_enters_no_link(folder: Folder, tmp_path: Path) -> None:
    outside = tmp_path.with_name(f"{tmp_path.name}-outside")
    outside.mkdir()
    (outside / "secret").touch()
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "file").touch()
    (tmp_path / "link").symlink_to(outside)
    os.mkfifo(tmp_path / "a" / "fifo")
    assert sorted(found.path for found in folder.walk()) == [
        "a",
        "a/b",
        "a/b/file",
        "a/fifo",
        "link",
    ]


def test_a_walk_gives_up_on_a_tree_that_is_too_deep(folder: Folder, tmp_path: Path) -> None:
    deep(tmp_path / "deep", 30)
    with pytest.raises(Unsafe, match="deeper than 20 levels"):
        list(folder.walk(deepest=20))


def test_what_is_read_in_a_walk_is_what_the_walk_found_when_names_are_swapped(
    folder: Folder, tmp_path: Path
) -> None:
    outside = tmp_path.with_name(f"{tmp_path.name}-outside")
    outside.mkdir()
    (outside / "file").write_bytes(b"secret")
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "file").write_bytes(b"mine")
    for found in folder.walk():
        if found.path == "a/file":
            (tmp_path / "a").rename(tmp_path / "moved")
            (tmp_path / "a").symlink_to(outside)
            assert found.folder.read("file", 100) == b"mine"


def test_what_is_in_a_folder_is_counted_without_what_links_lead_to_and_not_for_ever(
    folder: Folder, tmp_path: Path
) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "file").write_bytes(b"x" * 100_000)
    (tmp_path / "link").symlink_to("/usr")
    used = folder.usage(100)
    assert used.complete
    assert used.entries == 3
    assert 100_000 <= used.bytes < 130_000
    assert not folder.usage(2).complete
    deep(tmp_path / "deep", 30)
    assert not folder.usage(100, deepest=20).complete


# Removing


@pytest.mark.parametrize("levels", [1_500, 12_000])
def test_a_tree_of_any_depth_is_removed_with_few_descriptors(levels: int) -> None:
    place = Path(
        tempfile.mkdtemp(dir="/dev/shm")
    )  # a disk takes milliseconds for each folder that is removed
    deep(place / "deep", levels)
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(
        resource.RLIMIT_NOFILE, (len(list(Path("/proc/self/fd").iterdir())) + 20, before[1])
    )
    try:
        with Folder.at(place) as folder:
            folder.remove("deep")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    place.rmdir()


def test_all_kinds_are_removed_and_nothing_that_links_lead_to(
    folder: Folder, tmp_path: Path
) -> None:
    outside = tmp_path.with_name(f"{tmp_path.name}-outside")
    outside.mkdir()
    (outside / "kept").touch()
    tree = tmp_path / "tree"
    (tree / "sub" / "sub").mkdir(parents=True)
    (tree / "link").symlink_to(outside)
    (tree / "sub" / "link").symlink_to(outside / "kept")
    os.mkfifo(tree / "fifo")
    (tree / "hard").hardlink_to(outside / "kept")
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(tree / "socket"))
    (tree / "\udcff").touch()
    folder.remove("tree")
    assert folder.names() == []
    assert (outside / "kept").exists()


@pytest.mark.parametrize("kind", ["link", "file"])
def test_what_is_no_folder_is_removed_itself(folder: Folder, tmp_path: Path, kind: str) -> None:
    (tmp_path / "victim").mkdir()
    (tmp_path / "it").symlink_to("victim") if kind == "link" else (tmp_path / "it").touch()
    folder.remove("it")
    assert folder.names() == ["victim"]
    with pytest.raises(FileNotFoundError):
        folder.remove("it")


def test_a_budget_ends_a_removal_which_can_go_on_later(folder: Folder, tmp_path: Path) -> None:
    deep(tmp_path / "tree", 50)
    with pytest.raises(Unremoved, match=r"tree: it has more than 20 files"):
        folder.remove("tree", Budget(entries=20))
    (left,) = folder.names()
    assert left.startswith(REMOVING)
    times = iter(range(100))
    with pytest.raises(Unremoved, match="takes more than 10 s"):
        folder.remove(left, Budget(seconds=10), lambda: next(times))
    (left,) = folder.names()
    folder.remove(left)
    assert folder.names() == []


def test_folders_that_their_owner_closed_are_removed(tmp_path: Path) -> None:
    """As a user without root's capabilities, whose app has closed its folders to itself."""
    script = """
import os, sys
from pathlib import Path
from machine.untrusted import Folder
if os.geteuid() == 0:
    os.setgroups([]); os.setgid(54321); os.setuid(54321)
(Path.cwd() / "tree/a/b").mkdir(parents=True)
(Path.cwd() / "tree/a/file").touch()
for name in ("tree/a/b", "tree/a", "tree"):
    os.chmod(name, 0)
with Folder.at(Path.cwd()) as folder:
    folder.remove("tree")
sys.exit(len(os.listdir()))
"""
    tmp_path.chmod(0o777)
    for above in tmp_path.parents[:3]:
        above.chmod(0o711)
    source = os.pathsep.join(str(path) for path in (Path(__file__).parents[3] / "workers",))
    subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, env={"PYTHONPATH": source}, check=True
    )


@root_only
def test_another_file_system_in_the_tree_is_left_alone(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    (tree / "mounted").mkdir(parents=True)
    (tree / "file").touch()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "none", str(tree / "mounted")], check=False, capture_output=True
    ).returncode:
        pytest.skip("nothing can be mounted here")
    try:
        (tree / "mounted" / "kept").touch()
        with Folder.at(tmp_path) as folder, pytest.raises(OSError, match="some of it stays"):
            folder.remove("tree")
        (mounted,) = tmp_path.rglob("kept")
        assert not list(tmp_path.rglob("file"))
    finally:
        places = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
        subprocess.run(
            ["umount", *(place for place in places if place.startswith(str(tmp_path)))], check=True
        )
    assert not mounted.exists()


def test_an_app_that_renames_and_makes_things_meanwhile_loses_only_its_own(tmp_path: Path) -> None:
    outside, place = tmp_path / "outside", tmp_path / "place"
    (outside / "kept").mkdir(parents=True)
    (outside / "kept" / "file").touch()
    place.mkdir()
    tree = place / "tree"
    for number in range(40):
        (tree / str(number) / "a" / "b").mkdir(parents=True)
    held = os.open(tree, os.O_RDONLY)
    ended = threading.Event()

    def disturb() -> None:
        number = 0
        while not ended.is_set():
            number += 1
            try:
                os.rename(f"{number % 40}/a", "stolen", src_dir_fd=held, dst_dir_fd=held)
                os.symlink(outside, f"{number % 40}/a", dir_fd=held)
                os.rename("stolen", f"{number % 40}/back", src_dir_fd=held, dst_dir_fd=held)
            except OSError:
                pass

    thread = threading.Thread(target=disturb)
    thread.start()
    try:
        with Folder.at(place) as folder:
            folder.remove("tree")
    finally:
        ended.set()
        thread.join()
        os.close(held)
    assert not list(place.iterdir())
    assert (outside / "kept" / "file").exists()


def test_who_goes_on_writing_cannot_hold_a_removal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tree").mkdir()
    held = os.open(tmp_path / "tree", os.O_RDONLY)
    rmdir = os.rmdir

    def busy(name: str, *, dir_fd: int | None = None) -> None:
        if not name.startswith(REMOVING):
            os.close(os.open("new", os.O_CREAT | os.O_WRONLY, dir_fd=held))
        rmdir(name, dir_fd=dir_fd)

    monkeypatch.setattr(os, "rmdir", busy)
    with Folder.at(tmp_path) as folder, pytest.raises(Unremoved, match="goes on writing"):
        folder.remove("tree")
    os.close(held)
    monkeypatch.undo()
    shutil.rmtree(tmp_path)


# Sockets


def test_a_socket_of_the_user_is_connected_and_of_another_is_not(
    folder: Folder, tmp_path: Path
) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "r.sock"))
        listening.listen()
        with folder.connect("r.sock", os.geteuid()) as connection:
            assert peer(connection) == os.geteuid()
        (tmp_path / "link.sock").symlink_to("r.sock")
        with pytest.raises(Unsafe, match=r"r\.sock: leads to a socket of user"):
            folder.connect("r.sock", STRANGER)
        with pytest.raises(Unsafe, match=r"link\.sock: is no socket"):
            folder.connect("link.sock", os.geteuid())


def test_a_socket_whose_queue_is_full_is_not_waited_for(folder: Folder, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "r.sock"))
        listening.listen(0)
        with folder.connect("r.sock", os.geteuid()), pytest.raises(BlockingIOError):
            folder.connect("r.sock", os.geteuid())
