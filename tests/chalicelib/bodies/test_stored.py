"""Under which name and with which headers an answer is stored."""

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from chalicelib.bodies.keys import answer_key, upload_key
from chalicelib.bodies.stored import stored
from chalicelib.instances.model import InstanceRef

REF = InstanceRef("a1.v1", 0, "c0ffee")


@pytest.mark.parametrize(
    ("said", "path", "kept"),
    [
        (
            'attachment; filename="a 1.csv"',
            "/session/1/download/x",
            'attachment; filename="a 1.csv"',
        ),
        (
            "attachment",
            "/session/1/download/x/gr%C3%B6%C3%9Fe.bin",
            "attachment; filename*=UTF-8''gr%C3%B6%C3%9Fe.bin",
        ),
        ("attachment", '/x/a"b;c.txt', "attachment; filename*=UTF-8''a%22b%3Bc.txt"),
        ("attachment", "/x/", "attachment"),
        ("inline", "/x/y.pdf", "inline"),
        ("", "/x/y.pdf", ""),
    ],
)
def test_a_download_keeps_its_name(said: str, path: str, kept: str) -> None:
    headers = (
        CIMultiDict({"Content-Disposition": said, "Content-Type": "text/csv"})
        if said
        else CIMultiDict({"Content-Type": "text/csv"})
    )
    assert stored(headers, path).disposition == kept


def test_type_and_encoding_stay_and_no_cache_may_share_it() -> None:
    headers = CIMultiDict(
        {
            "content-type": "application/json; charset=utf-8",
            "Content-Encoding": "gzip",
            "Content-Language": "de",
        }
    )
    assert stored(headers, "/x").parameters() == {
        "ContentType": "application/json; charset=utf-8",
        "ContentEncoding": "gzip",
        "ContentLanguage": "de",
        "CacheControl": "private, no-cache",
    }
    headers = CIMultiDict({"Content-Encoding": "identity", "Cache-Control": "No-Store"})
    assert stored(headers, "/x").parameters() == {
        "ContentType": "application/octet-stream",
        "CacheControl": "private, no-store",
    }


@given(st.text(max_size=300))
def test_a_key_stays_where_the_role_may_write_and_shows_a_name(name: str) -> None:
    prefix = "bodies/a1.v1/0/c0ffee/answers/t0k3n/"
    key = answer_key(REF, "t0k3n", f"/data/{quote(name)}")
    last = key.removeprefix(prefix)
    assert (
        key.startswith(prefix)
        and last
        and "/" not in last
        and not last.startswith(".")
        and len(last) <= 80
    )


def test_uploads_of_sessions_are_apart() -> None:
    assert upload_key(REF, "s1", "t") == "bodies/a1.v1/0/c0ffee/uploads/s1/t"
    assert upload_key(REF, "../s2", "t") == "bodies/a1.v1/0/c0ffee/uploads/.._s2/t"
