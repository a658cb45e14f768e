"""Which apps of a site tree are published, and when again."""

import io
import os
import threading
import zipfile
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import boto3
import pytest

from chalicelib import layout
from chalicelib.configuration.deployment import Settings
from chalicelib.publishing import store
from chalicelib.publishing.status import BundleStatus
from chalicelib.syncs.definition import SyncDefinition
from machine.untrusted import Folder, Unsafe
from tasks import site
from tasks.site import RESTART, SyncedTree, publish_changed
from tests.chalicelib.aws_in_process import BUCKET, ENVIRONMENT, aws_in_process, empty_tables

SITE = SyncDefinition("site", BUCKET, "data/site/", publish="/site")


@pytest.fixture(scope="module", autouse=True)
def services() -> Iterator[None]:
    with aws_in_process():
        yield


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of an app in the tree, beside one that is no app; a second passes between two
    looks at the clock.
    """
    empty_tables()
    monkeypatch.setattr(site, "wall_clock", count(1.0).__next__)
    tree = layout.synced(tmp_path, SITE.name)
    for name in ("hello/app.R", "notes/readme.md"):
        (tree / name).parent.mkdir(parents=True)
        (tree / name).write_text("1")
    return tree / "hello"


def publish(efs: Path) -> tuple[list[str], list[str]]:
    """Return the keys of what was uploaded, and which apps are to be restarted."""
    told: list[str] = []
    restart = publish_changed(
        SITE, Settings.from_environment({**ENVIRONMENT, "SHEEN_EFS": str(efs)}), told.append
    )
    keys = [message.partition(f"s3://{BUCKET}/")[2] for message in told]
    assert all(boto3.client("s3").head_object(Bucket=BUCKET, Key=key) for key in keys)
    return keys, restart


def ends(key: str, status: BundleStatus, *, blameless: bool = False) -> None:
    store.receive(key, "01", "etag", "/site/hello", "v1", 1.0)
    store.tell(BUCKET, key, "01", status, "It is over.", 2.0, blameless=blameless)


def test_an_app_is_published_when_its_files_change_and_restarted_when_its_mark_does(
    app: Path, tmp_path: Path
) -> None:
    ((key,), _) = publish(tmp_path)
    assert key.startswith("bundles/site/hello/site-")
    assert publish(tmp_path) == ([], [])
    (app / RESTART).write_text("now")
    assert publish(tmp_path) == ([], ["/site/hello"])
    (app / "app.R").write_text("2")
    assert len(publish(tmp_path)[0]) == 1


def test_what_rscignore_names_is_not_published(app: Path, tmp_path: Path) -> None:
    for name in (
        "secret.csv",
        "www/secret.csv",
        "dev/notes.txt",
        "www/node_modules/d3.js",
        "node_modules/d3.js",
    ):
        (app / name).parent.mkdir(exist_ok=True, parents=True)
        (app / name).write_text("1")
    (app / ".rscignore").write_text("secret.csv\ndev\n")
    ((key,), _) = publish(tmp_path)
    packed = io.BytesIO(boto3.client("s3").get_object(Bucket=BUCKET, Key=key)["Body"].read())
    assert zipfile.ZipFile(packed).namelist() == [
        "app.R",
        "www/node_modules/d3.js",
        "www/secret.csv",
    ]


@pytest.mark.parametrize(
    ("status", "blameless", "again"),
    [
        (BundleStatus.ACTIVE, False, 0),
        (BundleStatus.REJECTED, False, 0),
        (BundleStatus.REJECTED, True, 1),
    ],
)
def test_what_was_rejected_without_its_fault_is_published_once_more(
    app: Path, tmp_path: Path, status: BundleStatus, blameless: bool, again: int
) -> None:
    ((key,), _) = publish(tmp_path)
    assert publish(tmp_path) == ([], []), "as long as it is being built"
    ends(key, status, blameless=blameless)
    assert len(publish(tmp_path)[0]) == again
    assert publish(tmp_path) == ([], [])


APP_USER = 271_828
as_root = pytest.mark.skipif(
    os.geteuid() != 0, reason="apps have users of their own only where the task is root's"
)


def packed(key: str) -> dict[str, bytes]:
    """Return what is in a bundle that was uploaded."""
    body = boto3.client("s3").get_object(Bucket=BUCKET, Key=key)["Body"].read()
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def give(path: Path) -> None:
    """Let a file, or a folder with all in it, be the app's that has written it."""
    for each in (path, *path.rglob("*")):
        os.chown(each, APP_USER, APP_USER)


@as_root
def test_what_an_app_wrote_into_the_tree_is_not_published(app: Path, tmp_path: Path) -> None:
    tree = app.parent
    for name in ("pwn/app.R", "app.R", "hello/added.R", "notes/app.R", "planted/app.R"):
        (tree / name).parent.mkdir(exist_ok=True)
        (tree / name).write_text("evil")
    for name in ("pwn", "app.R", "hello/added.R", "notes/app.R"):
        give(tree / name)
    os.chown(
        tree / "planted", APP_USER, APP_USER
    )  # a file of the sync's in a folder that the app can arrange as it likes
    ((key,), _) = publish(tmp_path)
    assert key.startswith("bundles/site/hello/site-")
    assert packed(key) == {"app.R": b"1"}


def test_a_file_with_another_name_elsewhere_is_not_published(app: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("another's")
    (app / "linked.txt").hardlink_to(tmp_path / "secret")
    ((key,), _) = publish(tmp_path)
    assert packed(key) == {"app.R": b"1"}


def test_a_fifo_holds_nothing_up_and_hides_no_swap(app: Path, tmp_path: Path) -> None:
    """On the way to the files after it, a FIFO held root until the app let it go; by then a file
    could be a link.
    """
    secret = tmp_path / "secret"
    secret.write_text("root's own")
    (app / "www").mkdir()
    target = app / "www" / "z.txt"
    target.write_text("mine")
    os.mkfifo(app / "a.fifo")

    def let_go_when_opened() -> None:
        with (app / "a.fifo").open("wb"):
            target.unlink()
            target.symlink_to(secret)

    threading.Thread(target=let_go_when_opened, daemon=True).start()
    keys: list[str] = []
    publishing = threading.Thread(target=lambda: keys.extend(publish(tmp_path)[0]), daemon=True)
    publishing.start()
    publishing.join(30)
    assert not publishing.is_alive()
    assert packed(keys[0]) == {"app.R": b"1", "www/z.txt": b"mine"}


@pytest.mark.parametrize("name", ["www/z.txt", "www"])
def test_what_becomes_a_link_after_it_was_listed_is_not_followed(
    app: Path, tmp_path: Path, name: str
) -> None:
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "www").mkdir(parents=True)
    (elsewhere / "www" / "z.txt").write_text("root's own")
    (app / "www").mkdir()
    (app / "www" / "z.txt").write_text("mine")
    with Folder.at(app.parent) as top:
        [found] = [each for each in site.apps_of(SyncedTree(top), "/") if each.location == "/hello"]
        assert "www/z.txt" in found.files
        (app / name).rename(tmp_path / "aside")
        (app / name).symlink_to(elsewhere / name)
        with pytest.raises(Unsafe):
            SyncedTree(top).open(found.path("www/z.txt"))
