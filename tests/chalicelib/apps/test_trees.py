"""Trees of apps and files in the bucket."""

from collections.abc import Iterator

import boto3
import pytest
from moto import mock_aws

from chalicelib.apps import trees
from chalicelib.apps.errors import FileChanged, FolderTooLarge
from chalicelib.apps.trees import Trees
from chalicelib.aws import clients
from chalicelib.configuration.shiny_server_conf.site_dir import Entry
from tests.chalicelib.aws_in_process import BUCKET, ENVIRONMENT


@pytest.fixture(autouse=True)
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    with mock_aws():
        clients.client.cache_clear()
        boto3.client("s3").create_bucket(Bucket=BUCKET)
        yield
    clients.client.cache_clear()


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def write(*keys: str, body: bytes = b"text") -> None:
    for key in keys:
        boto3.client("s3").put_object(Bucket=BUCKET, Key=f"site/{key}", Body=body)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def tree(clock: Clock) -> Trees:
    return Trees(BUCKET, clock)


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", Entry.FOLDER),
        ("/srv", Entry.FOLDER),
        ("/srv/a.txt", Entry.FILE),
        ("/srv/a.tx", Entry.NONE),
        ("/srv/a", Entry.APP),
        ("/srv/b", Entry.APP),
        ("/srv/c", Entry.APP),
        ("/srv/d", Entry.APP),
        ("/srv/d/x", Entry.FOLDER),
        ("/srv/e", Entry.FOLDER),
        ("/srv/empty", Entry.FOLDER),
        ("/srv/empty/x", Entry.NONE),
        ("/srv/ü b", Entry.FOLDER),
        ("/srv/ü b/<i>.txt", Entry.FILE),
        ("/nowhere", Entry.NONE),
        ("~ann/ShinyApps/x", Entry.APP),
        ("/srv/" + "a" * 2000, Entry.NONE),
    ],
)
def test_what_is_at_a_path_follows_from_the_names_of_the_objects(
    tree: Trees, path: str, kind: Entry
) -> None:
    write("srv/a.txt", "srv/a/app.R", "srv/b/SERVER.r", "srv/c/x.Rmd", "srv/d/app.py", "srv/d/x/y")
    write("srv/e/ui.R", "srv/e/App.py", "srv/empty/", "srv/ü b/<i>.txt", "~ann/ShinyApps/x/app.R")
    assert tree.kind(path) is kind
    tree.folder(path.rpartition("/")[0])
    assert tree.kind(path) is kind, "the same with the folder around in memory"


def test_a_listing_is_remembered_for_two_seconds(tree: Trees, clock: Clock) -> None:
    write("srv/a.txt")
    assert tree.kind("/srv/b.txt") is Entry.NONE
    write("srv/b.txt")
    clock.now += trees.REMEMBERED - 0.1
    assert tree.kind("/srv/b.txt") is Entry.NONE
    clock.now += 0.2
    assert tree.kind("/srv/b.txt") is Entry.FILE


def test_memory_is_bounded(tree: Trees, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trees, "_MOST_IN_MEMORY", 20)
    for number in range(30):
        tree.folder(f"/nowhere/{number}")
    assert len(tree._folders) == tree._entries == 20


def test_a_folder_is_listed_to_its_end_and_refused_if_it_has_too_many_entries(
    tree: Trees, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(*(f"srv/{number:04}" for number in range(1005)))
    assert len(tree.folder("/srv").files) == 1005
    clock.now += 10
    monkeypatch.setattr(trees, "MOST_ENTRIES", 1000)
    with pytest.raises(FolderTooLarge, match="/srv has more than 1,000 entries"):
        tree.folder("/srv")


def test_a_part_of_a_file_is_read(tree: Trees) -> None:
    write("srv/a.txt", body=b"0123456789")
    file = tree.file("/srv/a.txt")
    assert file is not None
    assert tree.read("/srv/a.txt", file, 2, 3) == b"234"
    assert tree.read("/srv/a.txt", file, 0, 0) == b""


def test_a_file_that_changed_since_it_was_listed_is_not_mixed_with_what_was_listed(
    tree: Trees,
) -> None:
    write("srv/a.txt", body=b"0123456789")
    before = tree.file("/srv/a.txt")
    assert before is not None
    write("srv/a.txt", body=b"other")
    with pytest.raises(FileChanged):
        tree.read("/srv/a.txt", before, 0, 10)
    after = tree.file("/srv/a.txt")
    assert after is not None
    assert tree.read("/srv/a.txt", after, 0, after.size) == b"other"


def test_a_folder_can_be_elsewhere_below_site(clock: Clock) -> None:
    tree = Trees(BUCKET, clock, {"/srv/shiny-server": "live/now/", "/srv/shiny-server/x": "y"})
    write("live/now/a.txt", "y/b.txt", "srv/other")
    assert tree.kind("/srv/shiny-server/a.txt") is Entry.FILE
    assert tree.kind("/srv/shiny-server/x/b.txt") is Entry.FILE
    assert tree.kind("/srv/other") is Entry.FILE
    assert tree.key("/srv/shiny-serverx") == "site/srv/shiny-serverx"
    assert Trees(BUCKET, clock, {"/": "all"}).key("/a") == "site/all/a"


def test_a_user_is_who_is_known_or_has_a_folder(clock: Clock) -> None:
    write("~ann/ShinyApps/a.txt", "~/ShinyApps/x", "~../ShinyApps/x")
    tree = Trees(BUCKET, clock, members={"bob": ["staff"]}.get)
    assert tree.groups("bob") == ["staff"]
    assert tree.groups("ann") == ()
    for nobody in ("eve", "", "..", ".", "a/b", "ann/ShinyApps/..", "\0", "a" * 100):
        assert tree.groups(nobody) is None
