"""Real folders as objects: live, by boto3, and never more than the reader may see."""

import asyncio
import os
import shutil
import socket
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import boto3
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from botocore.exceptions import ClientError

from infra.emulator.aws_errors import AwsError, error_response
from infra.emulator.endpoint.operations import operation_of
from infra.emulator.s3.folders import ShownFolder
from infra.emulator.s3.reader import ObjectReader, as_reader
from infra.emulator.s3.shown import Shown, ShownFolders

READER, OTHER = 150_011, 150_012
root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root can read as somebody else")


@pytest.fixture
def tree() -> Iterator[Path]:
    """A folder that every user can reach."""
    made = Path(tempfile.mkdtemp(prefix="sheen-shown-", dir="/var/tmp"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


@pytest.fixture
async def s3(tree: Path) -> AsyncIterator[Any]:
    shown = ShownFolders(
        lambda: [Shown("bucket", "site/srv/", ShownFolder(tree, ObjectReader(READER, READER)))]
    )

    async def answer(request: web.Request) -> web.StreamResponse:
        try:
            found = await shown.handle(request, operation_of("s3", request), b"", Mock())
        except AwsError as error:
            return error_response("s3", error)
        return found if found is not None else web.Response(status=418)

    application = web.Application()
    application.router.add_route("*", "/{path:.*}", answer)
    async with TestServer(application) as server:
        yield boto3.client(
            "s3",
            endpoint_url=str(server.make_url("")),
            region_name="us-east-1",
            aws_access_key_id="a",
            aws_secret_access_key="b",
        )


async def listed(s3: Any, prefix: str, **more: Any) -> list[str]:
    keys: list[str] = []
    while True:
        page = await asyncio.to_thread(
            s3.list_objects_v2, Bucket="bucket", Prefix=prefix, Delimiter="/", **more
        )
        keys += [each["Key"] for each in page.get("Contents", ())]
        keys += [each["Prefix"] for each in page.get("CommonPrefixes", ())]
        if not page["IsTruncated"]:
            return sorted(keys)
        more["ContinuationToken"] = page["NextContinuationToken"]


async def read(s3: Any, key: str, **more: Any) -> tuple[bytes, Any]:
    """Return an object's content, and what else the answer says."""

    def get() -> tuple[bytes, Any]:
        got = s3.get_object(Bucket="bucket", Key=f"site/srv/{key}", **more)
        return got["Body"].read(), got

    return await asyncio.to_thread(get)


async def test_a_folder_is_listed_and_read_as_it_is_now(s3: Any, tree: Path) -> None:
    (tree / "hello").mkdir()
    (tree / "empty").mkdir()
    (tree / "index.html").write_text("<p>one")
    (tree / "ü & <x>.txt").write_text("x")
    (tree / ".hidden").write_text("x")
    os.mkfifo(tree / "fifo")
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(tree / "socket"))
    expected = ["empty/", "hello/", "index.html", "ü & <x>.txt"]
    assert await listed(s3, "site/srv/") == [f"site/srv/{name}" for name in expected]
    assert await listed(s3, "site/srv/", MaxKeys=1) == [f"site/srv/{name}" for name in expected]
    assert await listed(s3, "site/srv/empty/") == ["site/srv/empty/"]
    assert await listed(s3, "site/srv/none/") == []

    content, whole = await read(s3, "index.html")
    assert (content, whole["ContentType"]) == (b"<p>one", "text/html")
    part, told = await read(s3, "index.html", Range="bytes=1-3", IfMatch=whole["ETag"])
    assert (part, told["ContentRange"]) == (b"p>o", "bytes 1-3/6")
    head = await asyncio.to_thread(s3.head_object, Bucket="bucket", Key="site/srv/index.html")
    assert (head["ContentLength"], head["ETag"]) == (6, whole["ETag"])
    (tree / "index.html").write_text("<p>another")
    with pytest.raises(ClientError, match="PreconditionFailed"):
        await read(s3, "index.html", IfMatch=whole["ETag"])
    with pytest.raises(ClientError, match="InvalidRange"):
        await read(s3, "index.html", Range="bytes=100-")


@pytest.mark.parametrize("key", ["none", ".hidden", "fifo", "hello", "../x", "index.html/x"])
async def test_what_is_no_file_is_not_there(s3: Any, tree: Path, key: str) -> None:
    (tree / ".hidden").write_text("x")
    (tree / "index.html").write_text("x")
    (tree / "hello").mkdir()
    os.mkfifo(tree / "fifo")
    with pytest.raises(ClientError, match="NoSuchKey"):
        await read(s3, key)


async def test_nothing_is_written(s3: Any, tree: Path) -> None:
    with pytest.raises(ClientError, match="MethodNotAllowed"):
        await asyncio.to_thread(s3.put_object, Bucket="bucket", Key="site/srv/x", Body=b"")
    assert os.listdir(tree) == []  # noqa: PTH208


@root_only
async def test_links_of_others_lead_no_way_out_and_roots_do(s3: Any, tree: Path) -> None:
    outside = Path(tempfile.mkdtemp(prefix="sheen-outside-", dir="/var/tmp"))
    try:
        outside.chmod(0o755)  # noqa: ASYNC240
        (outside / "welcome.html").write_text("welcome")
        (tree / "hello").mkdir()
        (tree / "hello/a.txt").write_text("inside")
        theirs = tree / "theirs"
        theirs.mkdir()
        targets = {
            "shadow": "/etc/shadow",
            "passwd": "/etc/passwd",
            "environ": "/proc/self/environ",
            "up": "../../../../etc/passwd",
            "loop": "loop",
            "folder": "/etc",
            "absolute": str(tree / "hello/a.txt"),
            "relative": "../hello/a.txt",
            "out": str(outside / "welcome.html"),
        }
        for name, target in targets.items():
            (theirs / name).symlink_to(target)
            os.lchown(theirs / name, READER, READER)
        os.chown(theirs, READER, READER)
        (tree / "index.html").symlink_to(outside / "welcome.html")
        (tree / "samples").symlink_to(outside)
        (tree / "shadow").symlink_to("/etc/shadow")
        (tree / "status").symlink_to("/proc/self/status")

        assert await listed(s3, "site/srv/theirs/") == [
            "site/srv/theirs/absolute",
            "site/srv/theirs/relative",
        ]
        assert (await read(s3, "theirs/absolute"))[0] == b"inside"
        assert (await read(s3, "theirs/relative"))[0] == b"inside"
        assert (await read(s3, "index.html"))[0] == b"welcome"
        assert (await read(s3, "samples/welcome.html"))[0] == b"welcome"
        for name in targets.keys() - {"absolute", "relative"}:
            with pytest.raises(ClientError, match="NoSuchKey"):
                await read(s3, f"theirs/{name}")
        with pytest.raises(ClientError, match="NoSuchKey"):
            await read(s3, "theirs/folder/passwd")
        # Even where root leads, the reader's rights hold.
        with pytest.raises(ClientError, match="AccessDenied"):
            await read(s3, "shadow")
        with pytest.raises(ClientError, match="NoSuchKey"):
            await read(s3, "status")
    finally:
        shutil.rmtree(outside)


@root_only
async def test_the_reader_sees_no_more_than_its_rights(s3: Any, tree: Path) -> None:
    for name, owner, mode in (("own", READER, 0o600), ("other", OTHER, 0o600), ("roots", 0, 0o640)):
        (tree / name).write_text(name)
        os.chown(tree / name, owner, owner)
        (tree / name).chmod(mode)
    closed = tree / "closed"
    closed.mkdir(mode=0o700)
    (closed / "a").write_text("x")
    assert (await read(s3, "own"))[0] == b"own"
    for name in ("other", "roots", "closed/a"):
        with pytest.raises(ClientError, match="AccessDenied"):
            await read(s3, name)
    assert await listed(s3, "site/srv/closed/") == []


@root_only
def test_a_call_with_less_rights_leaves_this_process_as_it_was(tree: Path) -> None:
    (tree / "secret").write_text("x")
    (tree / "secret").chmod(0o600)
    before = Path("/proc/self/status").read_text()
    with pytest.raises(PermissionError):
        as_reader(ObjectReader(READER, READER, (OTHER,)), (tree / "secret").read_text)
    assert (tree / "secret").read_text() == "x"
    kept = ("Uid:", "Gid:", "Groups:", "CapEff:")
    assert [line for line in before.splitlines() if line.startswith(kept)] == [
        line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(kept)
    ]
