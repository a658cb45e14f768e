"""What an app may answer and HTTP does not allow: it is put right, or told, and harms no other
answer.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.http.worker_http import LARGEST_HEAD, Cure


def cured(answer: bytes, *, head_only: bool = False, pieces: int = 10**6) -> bytes:
    cure = Cure(head_only=head_only)
    return b"".join(
        cure.feed(answer[start : start + pieces]) for start in range(0, len(answer), pieces)
    )


def said(head: str, body: bytes = b"x") -> bytes:
    return head.replace("\n", "\r\n").encode("latin-1") + b"\r\n\r\n" + body


@pytest.mark.parametrize("pieces", [1, 7, 10**6])
def test_a_good_answer_passes_as_it_is(pieces: int) -> None:
    for answer in (
        said("HTTP/1.1 200 OK\nX-Empty: \nX-B: caf\xe9\nContent-Length: 1"),
        said("HTTP/1.1 404 Not Found\nTransfer-Encoding: chunked", b"1\r\nx\r\n0\r\n\r\n"),
        said("HTTP/1.1 100 Continue", said("HTTP/1.1 200 OK\nContent-Length: 1")),
    ):
        assert cured(answer, pieces=pieces) == answer


@pytest.mark.parametrize("status", [204, 304])
@pytest.mark.parametrize("pieces", [1, 10**6])
def test_an_answer_without_a_body_has_none_and_nothing_follows_it(status: int, pieces: int) -> None:
    answer = said(
        f"HTTP/1.1 {status} No\nETag: e\nContent-Length: 1\nConnection: keep-alive",
        b"xHTTP/1.1 200 OK\r\n",
    )
    assert cured(answer, pieces=pieces) == said(
        f"HTTP/1.1 {status} No\nETag: e\nConnection: close", b""
    )


def test_an_answer_to_head_keeps_its_length_and_has_no_body() -> None:
    answer = said("HTTP/1.1 200 OK\nContent-Length: 5", b"hello")
    assert cured(answer, head_only=True) == said(
        "HTTP/1.1 200 OK\nContent-Length: 5\nConnection: close", b""
    )


def test_a_length_that_is_said_twice_alike_counts_once_and_what_is_no_header_is_dropped() -> None:
    answer = said("HTTP/1.1 200\nContent-Length: 1\nno header\nX B: 1\ncontent-length: 1")
    assert cured(answer) == said("HTTP/1.1 200 \nContent-Length: 1")


@pytest.mark.parametrize(
    "head",
    [
        *(
            f"HTTP/1.1 {status} Odd\nContent-Length: 1"
            for status in (0, -1, 99, 100, 101, 102, 199, 600, 999, 1000)
        ),
        "HTTP/1.1 101 Switching",
        "HTTP/1.1 200 OK\nContent-Length: 1\nContent-Length: 5",
        "HTTP/1.1 200 OK\nContent-Length: NA",
        "HTTP/1.1 200 OK\nContent-Length: 1\nTransfer-Encoding: chunked",
        "garbage",
        "HTTP/1.1 200 OK\nX: " + "y" * LARGEST_HEAD,
    ],
)
def test_what_can_be_read_in_two_ways_or_none_is_told_instead(head: str) -> None:
    answer = cured(said(head, b"xHTTP/1.1 200 OK\r\n\r\n"))
    assert answer.startswith(b"HTTP/1.1 502 Bad Gateway\r\n")
    assert b"The app's answer " in answer
    assert b"200 OK" not in answer


@given(st.binary(max_size=200), st.booleans(), st.integers(1, 50))
def test_no_bytes_break_it_and_how_they_are_cut_means_nothing(
    answer: bytes, head_only: bool, pieces: int
) -> None:
    assert cured(answer, head_only=head_only, pieces=pieces) == cured(answer, head_only=head_only)
