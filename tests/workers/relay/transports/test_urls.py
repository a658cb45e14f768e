from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.errors import ProtocolError
from relay.hello import Opening
from relay.transports.urls import METHODS, Target, parameters, target

ID = "abcDEF0123456789xy"
WORKER = "20261120T000000Z-ab12.0.3"


@pytest.mark.parametrize(
    ("path", "opening", "worker", "rest"),
    [
        ("/000/abc/xhr", Opening(None), "", "/000/abc/xhr"),
        (f"/n={ID}/000/abc/xhr", Opening(ID), "", "/000/abc/xhr"),
        (f"/o={ID}/t=/w={WORKER}/s=0/000/abc/xhr", Opening(ID, True), WORKER, "/000/abc/xhr"),
        (f"/s=0/w={WORKER}/t=tok%2Fen/n={ID}/info", Opening(ID), WORKER, "/info"),
        (f"/n={ID}/h=1.0/a/b/xhr", Opening(ID, False, True, 1, 0), "", "/a/b/xhr"),
        (f"/o={ID}/h=12.1F/a/b/xhr", Opening(ID, True, True, 12, 31), "", "/a/b/xhr"),
        (f"/n={ID}", Opening(ID), "", ""),
        (f"/n={ID}/", Opening(ID), "", "/"),
        (f"/n={ID}/n={ID}/info", Opening(ID), "", "/info"),
    ],
)
def test_parameters_stand_before_the_rest_in_any_order(
    path: str, opening: Opening, worker: str, rest: str
) -> None:
    found, remaining = parameters(path)
    assert (found.opening, found.worker, remaining) == (opening, worker, rest)
    assert found.key + remaining == path


@pytest.mark.parametrize(
    "path",
    [
        f"/n={ID}/o={ID}/info",
        f"/n={ID}/n={ID}x/info",
        "/n=short/info",
        "/n=/info",
        f"/n={ID}%0A/info",
        "/n=" + "a" * 65 + "/info",
        "/h=1.0/info",
        f"/n={ID}/h=0.0/info",
        f"/n={ID}/h=1/info",
        f"/n={ID}/h=1.f/info",
    ],
)
def test_parameters_that_make_no_sense_are_refused(path: str) -> None:
    with pytest.raises(ProtocolError):
        parameters(path)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("", Target("greeting")),
        ("/", Target("greeting")),
        ("/info", Target("info")),
        ("/websocket", Target("raw")),
        ("/iframe-1.2.html", Target("iframe")),
        ("/0/s/websocket", Target("websocket", "s")),
        ("/0/a%20b/xhr", Target("xhr", "a b")),
        ("/0/s/raw", None),
        ("/0/s/info", None),
        ("/0/s/xhr/", None),
        ("/0/s/xhr\n", None),
        ("/0/" + "s" * 201 + "/xhr", None),
        ("//s/xhr", None),
    ],
)
def test_targets(path: str, expected: Target | None) -> None:
    assert target(path) == expected


@given(st.text(alphabet="/=.%nowtsh019azXYé\n", max_size=60))
def test_any_path_is_understood_or_refused(path: str) -> None:
    try:
        found, rest = parameters(path)
    except ProtocolError:
        return
    assert found.key + rest == path
    asked = target(rest)
    assert asked is None or asked.methods == METHODS[asked.name]
