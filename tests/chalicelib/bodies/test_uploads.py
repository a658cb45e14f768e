"""What a browser may ask for, and how a file is cut."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.bodies.errors import BadUpload
from chalicelib.bodies.uploads import Parts, Wish
from chalicelib.configuration.limits import (
    DIRECT_UPLOAD,
    LARGEST_ANSWER,
    LARGEST_BODY,
    LARGEST_OBJECT,
    MOST_LINKS,
    MOST_PARTS,
)

WISH = {
    "ticket": "t",
    "target": "session/00c0ffee/upload/abc123?w=v1.0.1",
    "size": 5_000_000,
    "type": "text/csv",
}


def wish(**changes: object) -> bytes:
    return json.dumps({**WISH, **changes}).encode()


OTHERS = [
    "x",
    "//evil",
    "/__sheen__/uploads",
    "/__sockjs__/x",
    "/a/../b",
    "/a/%2e%2e/b",
    "/x y",
    "/x#y",
    "/x\\y",
    "/x\r\ny",
    "/é",
    None,
    7,
]


def test_a_scripts_request_is_read_with_the_headers_that_are_its_own() -> None:
    headers = [
        ["X-Own", "1"],
        ["Host", "evil"],
        ["X-Forwarded-For", "1"],
        ["Sheen-Session", "s"],
        ["a b", "1"],
        ["X", "a\r\nb"],
        [1, 2],
        "x",
    ]
    read = Wish.parse(
        wish(
            method="PUT", target="/session/00c0ffee/dataobj/rows?w=v1.0.1&nonce=1", headers=headers
        )
    )
    assert (read.method, read.target) == ("PUT", "/session/00c0ffee/dataobj/rows?w=v1.0.1&nonce=1")
    assert read.headers == (("X-Own", "1"),)


def test_a_wish_is_read() -> None:
    assert Wish.parse(wish()) == Wish(
        "t", "/session/00c0ffee/upload/abc123?w=v1.0.1", 5_000_000, "text/csv"
    )


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "not a JSON object"),
        (b"[]", "not a JSON object"),
        (b"[" * 10_000, "not a JSON object"),
        (b" " * 20_000, "16,384 are allowed"),
        (wish(ticket=None), "no ticket"),
        (wish(target="session/00c0ffee/download/x"), "only a URL session/"),
        (wish(target="//evil/session/00c0ffee/upload/x"), "only a URL session/"),
        (wish(target="session/00c0ffee/upload/x\r\nx: y"), "only a URL session/"),
        (wish(target="session/00c0ffee/upload/../../x"), "only a URL session/"),
        (wish(target=7), "only a URL session/"),
        (wish(size=0), "a file has 1 to"),
        (wish(size=True), "a file has 1 to"),
        (wish(size="9"), "a file has 1 to"),
        (wish(size=LARGEST_OBJECT + 1), "a file has 1 to"),
        (wish(type="a/b\r\nx: y"), "a type is like"),
        (wish(type=None), "a type is like"),
        (wish(method="GET"), "the methods POST, PUT, PATCH have one"),
        (wish(method=["POST"]), "the methods POST, PUT, PATCH have one"),
        *((wish(method="POST", target=target), "only the app's own URLs") for target in OTHERS),
        (wish(method="POST", target="/x", size=LARGEST_BODY + 1), f"{LARGEST_BODY:,} are allowed"),
    ],
)
def test_any_other_wish_is_refused_with_its_reason(body: bytes, says: str) -> None:
    with pytest.raises(BadUpload, match=says):
        Wish.parse(body)


@given(st.integers(1, LARGEST_OBJECT))
def test_the_parts_are_the_file_and_s3_takes_them(size: int) -> None:
    parts = Parts.of(size)
    assert 1 <= parts.count <= MOST_PARTS
    assert parts.part >= 5 * 1024**2
    assert 0 < parts.size_of(parts.count) <= parts.part
    assert parts.part * (parts.count - 1) + parts.size_of(parts.count) == size


PARTS = Parts.of(20_000_000)


def test_links_are_for_parts_of_the_file_only() -> None:
    assert PARTS.wanted(b'{"parts": [3, 1]}') == [3, 1]
    bodies: tuple[object, ...] = (
        {"parts": [4]},
        {"parts": [0]},
        {"parts": [True]},
        {"parts": ["1"]},
        {"parts": []},
        {"parts": [1] * (MOST_LINKS + 1)},
        {},
    )
    for body in bodies:
        with pytest.raises(BadUpload, match="part"):
            PARTS.wanted(json.dumps(body).encode())


def test_what_has_arrived_must_be_the_whole_file() -> None:
    whole = [(number, PARTS.size_of(number)) for number in (1, 2, 3)]
    PARTS.check(whole)
    for there, says in [
        (whole[:2], "part 3 of 3 has not arrived"),
        ([(1, 5), *whole[1:]], "part 1 has 5 bytes"),
        ([*whole, (4, 5)], "4 parts instead of 3"),
    ]:
        with pytest.raises(BadUpload, match=says):
            PARTS.check(there)


def test_what_goes_directly_fits_into_a_lambdas_event_and_answer() -> None:
    assert DIRECT_UPLOAD * 4 // 3 + 256 * 1024 < 6_291_456
    assert LARGEST_ANSWER * 4 // 3 + 32 * 1024 < 6_291_456
