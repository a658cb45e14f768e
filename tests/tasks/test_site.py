"""Which apps of a site tree are published, and when again."""

import io
import zipfile
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import boto3
import pytest

from chalicelib.bundles import store
from chalicelib.bundles.status import BundleStatus
from chalicelib.settings import Settings
from chalicelib.syncs import folders
from chalicelib.syncs.definition import SyncDefinition
from tasks import site
from tasks.site import RESTART, publish_changed
from tests.chalicelib.aws_in_process import BUCKET, ENVIRONMENT, aws_in_process, empty_tables

SITE = SyncDefinition("site", BUCKET, "data/site/", publish="/site")


@pytest.fixture(scope="module", autouse=True)
def services() -> Iterator[None]:
    with aws_in_process():
        yield


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of an app in the tree, beside one that is no app; a second passes between two looks at the clock."""
    empty_tables()
    monkeypatch.setattr(site, "wall_clock", count(1.0).__next__)
    tree = folders.data(tmp_path, SITE.name)
    for name in ("hello/app.R", "notes/readme.md"):
        (tree / name).parent.mkdir(parents=True)
        (tree / name).write_text("1")
    return tree / "hello"


def publish(efs: Path) -> tuple[list[str], list[str]]:
    """Return the keys of what was uploaded, and which apps are to be restarted."""
    told: list[str] = []
    restart = publish_changed(SITE, Settings.from_environment({**ENVIRONMENT, "SHEEN_EFS": str(efs)}), told.append)
    keys = [message.partition(f"s3://{BUCKET}/")[2] for message in told]
    assert all(boto3.client("s3").head_object(Bucket=BUCKET, Key=key) for key in keys)
    return keys, restart


def ends(key: str, status: BundleStatus, *, blameless: bool = False) -> None:
    store.receive(key, "01", "etag", "/site/hello", "v1", 1.0)
    store.tell(BUCKET, key, "01", status, "It is over.", 2.0, blameless=blameless)


def test_an_app_is_published_when_its_files_change_and_restarted_when_its_mark_does(app: Path, tmp_path: Path) -> None:
    ((key,), _) = publish(tmp_path)
    assert key.startswith("bundles/site/hello/site-")
    assert publish(tmp_path) == ([], [])
    (app / RESTART).write_text("now")
    assert publish(tmp_path) == ([], ["/site/hello"])
    (app / "app.R").write_text("2")
    assert len(publish(tmp_path)[0]) == 1


def test_what_rscignore_names_is_not_published(app: Path, tmp_path: Path) -> None:
    for name in ("secret.csv", "www/secret.csv", "dev/notes.txt", "www/node_modules/d3.js", "node_modules/d3.js"):
        (app / name).parent.mkdir(exist_ok=True, parents=True)
        (app / name).write_text("1")
    (app / ".rscignore").write_text("secret.csv\ndev\n")
    ((key,), _) = publish(tmp_path)
    packed = io.BytesIO(boto3.client("s3").get_object(Bucket=BUCKET, Key=key)["Body"].read())
    assert zipfile.ZipFile(packed).namelist() == ["app.R", "www/node_modules/d3.js", "www/secret.csv"]


@pytest.mark.parametrize(
    ("status", "blameless", "again"),
    [(BundleStatus.ACTIVE, False, 0), (BundleStatus.REJECTED, False, 0), (BundleStatus.REJECTED, True, 1)],
)
def test_what_was_rejected_without_its_fault_is_published_once_more(
    app: Path, tmp_path: Path, status: BundleStatus, blameless: bool, again: int
) -> None:
    ((key,), _) = publish(tmp_path)
    assert publish(tmp_path) == ([], []), "as long as it is being built"
    ends(key, status, blameless=blameless)
    assert len(publish(tmp_path)[0]) == again
    assert publish(tmp_path) == ([], [])
