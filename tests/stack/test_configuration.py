"""Folders of a shiny-server.conf, served by the stack's own functions and their rights."""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from boto3.dynamodb.types import TypeSerializer

from chalicelib.applying.model import POINTER
from chalicelib.configuration.applied import Content
from chalicelib.configuration.keys import applied_key
from tests.support.stack import StackProcess
from tests.support.waiting import until

TEXT = """
run_as shiny; log_dir /var/log/shiny-server; directory_index on;
server { listen 3838;
  location /old { redirect https://example.org/new 301; }
  location /members { required_user *; site_dir /srv/members; }
  location / { site_dir /srv/site; }
}
"""
LARGE = bytes(range(256)) * 40_000


def _point(stack: StackProcess, configuration_id: str | None) -> None:
    row: dict[str, Any] = {"record": POINTER[0], "entry": POINTER[1], "number": 1}
    if configuration_id:
        row["configuration"] = configuration_id
    write = TypeSerializer().serialize
    stack.client("dynamodb").put_item(
        TableName=stack.environment()["SHEEN_TABLE_PREFIX"] + "configurations",
        Item={name: write(value) for name, value in row.items()},
    )


@pytest.fixture(scope="module")
def site(stack: StackProcess) -> Iterator[StackProcess]:
    s3, bucket = stack.client("s3"), stack.environment()["SHEEN_BUCKET"]

    def put(key: str, body: bytes) -> None:
        s3.put_object(Bucket=bucket, Key=key, Body=body)

    put(applied_key("stack-test"), Content("shiny-server.conf", TEXT).to_bytes())
    put("site/srv/site/a b.html", b"<p>hello")
    put("site/srv/site/large.bin", LARGE)
    put("site/srv/site/folder/x.txt", b"x")
    put("site/srv/members/x.txt", b"x")
    _point(stack, "stack-test")
    until(lambda: stack.get("/old").status == 301, 30, "the configuration to hold")
    yield stack
    _point(stack, None)
    until(lambda: stack.get("/old").status == 404, 30, "the configuration to be gone")


def test_files_folders_and_redirects_are_served(site: StackProcess) -> None:
    page = site.get("/a%20b.html")
    assert (page.status, page.body) == (200, b"<p>hello")
    assert page.headers["content-type"] == "text/html; charset=UTF-8"
    assert site.get("/a%20b.html", {"if-none-match": page.headers["etag"]}).status == 304
    part = site.get("/a%20b.html", {"range": "bytes=3-"})
    assert (part.status, part.body, part.headers["content-range"]) == (206, b"hello", "bytes 3-7/8")
    head = site.ask("HEAD", "/a%20b.html")
    assert (head.status, head.headers["content-length"], head.body) == (200, "8", b"")
    assert site.get("/folder").headers["location"] == "/folder/"
    assert "Index of /folder/" in site.get("/folder/").text
    assert site.get("/old").headers["location"] == "https://example.org/new"
    assert site.get("/nothing").status == 404
    assert site.get("/folder%2fx.txt").status == 404
    assert site.get("//folder//x.txt").body == b"x"
    assert site.get("/members/x.txt").status == 403


def test_a_file_of_any_size_is_downloaded(site: StackProcess, tmp_path: Path) -> None:
    def download(*options: str) -> bytes:
        target = tmp_path / "got"
        subprocess.run(
            ["curl", "-sSfL", *options, "-o", str(target), f"{site.url}/large.bin"],
            check=True,
            timeout=60,
        )
        return target.read_bytes()

    assert download() == LARGE
    assert download("-r", "5000000-") == LARGE[5_000_000:]
    assert download("-r", "100-199") == LARGE[100:200]
