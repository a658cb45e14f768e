"""How a file is sent, by what the visitor's request says."""

from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.apps.folder_contents import File
from chalicelib.visits.files import Sending, sending
from chalicelib.visits.media_types import media_type
from chalicelib.visits.request import VisitorRequest

FILE = File("plot.png", 1000, '"abc"', 1_795_176_000.4)
THEN = formatdate(FILE.modified, usegmt=True)
EARLIER, LATER = (formatdate(FILE.modified + by, usegmt=True) for by in (-60, 60))


def ask(method: str = "GET", file: File = FILE, /, **headers: str) -> Sending:
    named = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return sending(VisitorRequest(method, "/plot.png", "", (), named, b"", "1"), file)


def header(answer: Sending, name: str) -> str | None:
    return dict(answer.headers).get(name)


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "OPTIONS"])
def test_any_method_gets_the_whole_file(method: str) -> None:
    answer = ask(method)
    assert (answer.status, answer.first, answer.length) == (200, 0, 1000)
    assert dict(answer.headers) == {
        "content-type": "image/png",
        "accept-ranges": "bytes",
        "cache-control": "public, max-age=0",
        "last-modified": THEN,
        "etag": '"abc"',
    }


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"if_none_match": '"abc"'}, 304),
        ({"if_none_match": 'W/"abc"'}, 304),
        ({"if_none_match": '"x", "abc"'}, 304),
        ({"if_none_match": "*"}, 304),
        ({"if_none_match": '"x"'}, 200),
        ({"if_none_match": '"x"', "if_modified_since": LATER}, 200),
        ({"if_none_match": '"abc"', "cache_control": "no-cache"}, 200),
        ({"if_modified_since": THEN}, 304),
        ({"if_modified_since": LATER}, 304),
        ({"if_modified_since": EARLIER}, 200),
        ({"if_modified_since": "yesterday"}, 200),
        ({"if_match": '"x"'}, 412),
        ({"if_match": '"abc"'}, 200),
        ({"if_unmodified_since": EARLIER}, 412),
        ({"if_unmodified_since": THEN}, 200),
    ],
)
def test_conditions_decide_whether_the_file_is_sent(headers: dict[str, str], status: int) -> None:
    answer = ask(**headers)
    assert (answer.status, answer.length) == (status, 1000 if status == 200 else 0)
    assert (header(answer, "content-type") is None) == (status != 200)


@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [
        ("bytes=0-4", 0, 4),
        ("bytes=990-", 990, 999),
        ("bytes=990-5000", 990, 999),
        ("bytes=-10", 990, 999),
        ("bytes=-5000", 0, 999),
        ("Bytes = 1 - 2", 1, 2),
    ],
)
def test_a_single_range_is_sent_alone(asked: str, first: int, last: int) -> None:
    answer = ask(range=asked)
    assert (answer.status, answer.first, answer.length) == (206, first, last - first + 1)
    assert header(answer, "content-range") == f"bytes {first}-{last}/1000"


@pytest.mark.parametrize("asked", ["bytes=1000-", "bytes=5-2", "bytes=-0"])
def test_a_range_outside_of_the_file_is_refused_with_the_files_size(asked: str) -> None:
    answer = ask(range=asked)
    assert (answer.status, answer.length) == (416, 0)
    assert header(answer, "content-range") == "bytes */1000"


@pytest.mark.parametrize("asked", ["bytes=0-1,5-6", "lines=1-2", "bytes=-", "bytes", "x", "1-2"])
def test_what_is_no_single_range_gets_the_whole_file(asked: str) -> None:
    assert ask(range=asked).status == 200


@pytest.mark.parametrize(
    ("condition", "status"),
    [('"abc"', 206), ('"x"', 200), (THEN, 206), (EARLIER, 200), ("never", 200)],
)
def test_a_range_of_an_older_file_gets_the_whole_one(condition: str, status: int) -> None:
    assert ask(range="bytes=0-4", if_range=condition).status == status


def test_an_empty_file_has_no_ranges() -> None:
    empty = FILE._replace(size=0)
    assert ask("GET", empty)[2:] == (0, 0)
    assert ask("GET", empty, range="bytes=0-").status == 416
    assert ask("GET", empty, range="bytes=-1").status == 416


@given(st.integers(0, 50), st.text("bytes=0123456789-, ", max_size=20), st.text(max_size=20))
def test_what_is_sent_is_always_within_the_file(size: int, asked: str, condition: str) -> None:
    answer = ask("GET", FILE._replace(size=size), range=asked, if_range=condition)
    assert 0 <= answer.first <= answer.first + answer.length <= size
    assert answer.status in (200, 206, 416)
    assert answer.length == size or answer.status != 200


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("a.R", "text/r; charset=UTF-8"),
        ("a.b.CSS", "text/css; charset=UTF-8"),
        ("a.js", "application/javascript; charset=UTF-8"),
        ("a.woff2", "font/woff2"),
        ("css", "application/octet-stream"),
        ("a.", "application/octet-stream"),
    ],
)
def test_the_type_follows_from_the_extension(name: str, said: str) -> None:
    assert media_type(name) == said
