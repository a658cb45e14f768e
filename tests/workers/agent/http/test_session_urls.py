"""Who is answered at the URLs of a session."""

from typing import cast

import pytest
from multidict import CIMultiDict

from agent.http.session_urls import SessionUrls
from agent.sockets.sessions import Sessions as RealSessions
from chalicelib.sessions.passes import set_visitor, visitor_of

TOKEN, BARE = "c0ffee" * 5, "beef" * 8
VISITOR = "v" * 32
COOKIE = f"a=1; sheen-visitor={VISITOR}"
OWN = {"Cookie": COOKIE, "Sec-Fetch-Site": "same-origin"}


class Sessions:
    """A session whose browser keeps cookies, and one whose browser does not."""

    def session_of_token(self, token: str) -> str | None:
        return {TOKEN: "s1", BARE: "s2"}.get(token)

    def visitor_of(self, session_id: str) -> str:
        return VISITOR

    def keeps_cookies(self, session_id: str) -> bool:
        return session_id == "s1"


def status(
    headers: dict[str, str], path: str = f"/session/{TOKEN}/download/x", method: str = "GET"
) -> int:
    refused = SessionUrls(cast(RealSessions, Sessions())).refused(
        method, path, CIMultiDict(headers), "app.example"
    )
    return 200 if refused is None else refused.status


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        ("GET", OWN),  # an image, a fetch, a download in a tab of its own
        ("POST", OWN),
        ("GET", {"Cookie": COOKIE}),  # an old browser
        ("POST", {"Cookie": COOKIE, "Origin": "https://app.example"}),
        ("GET", {"Cookie": COOKIE, "Sec-Fetch-Site": "none"}),  # the address bar
        (
            "GET",
            {"Cookie": COOKIE, "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"},
        ),  # a link in a portal
        (
            "GET",
            {"Cookie": f"sheen-visitor={'w' * 32}; {COOKIE}"},
        ),  # an app above this one has a cookie too
    ],
)
def test_the_browser_that_has_the_page_is_answered(method: str, headers: dict[str, str]) -> None:
    assert status(headers, method=method) == 200


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        ("GET", {}),
        ("POST", {"Sec-Fetch-Site": "same-origin"}),
        ("GET", {"Cookie": f"sheen-visitor={'w' * 32}"}),
        ("GET", {"Cookie": "sheen-visitor="}),
        ("GET", {"Cookie": "sheen-visitor=\udcff"}),
        ("POST", {"Cookie": COOKIE, "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}),
        ("GET", {"Cookie": COOKIE, "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}),
        ("POST", {"Cookie": COOKIE, "Origin": "https://evil.example"}),
    ],
)
def test_nobody_else_is(method: str, headers: dict[str, str]) -> None:
    assert status(headers, method=method) == 403


@pytest.mark.parametrize(
    ("path", "answered"),
    [
        (f"/session/{TOKEN}/upload/job", 403),
        (f"/session/{TOKEN}", 403),
        (f"/%73ession/{TOKEN[:-1]}%65/download/x", 403),
        (f"/mounted/session/{TOKEN}/download/x", 403),
        (f"/session/{'0' * 32}/download/x", 404),
        (f"/docs/session/{'0' * 32}/x.css", 200),
        ("/session/notes.html", 200),
        ("/session/", 200),
        ("/", 200),
    ],
)
def test_a_token_is_found_wherever_a_worker_would(path: str, answered: int) -> None:
    assert status({}, path) == answered


def test_a_page_without_cookies_has_its_token_only() -> None:
    assert status({"Sec-Fetch-Site": "cross-site"}, f"/session/{BARE}/download/x") == 200


def test_a_visitor_stays_the_same_in_every_tab() -> None:
    first = visitor_of("a=1; sheen-visitor=guess")
    assert first != visitor_of("") and len(first) == 32
    assert visitor_of(f"sheen-visitor={first}") == first
    assert set_visitor(first, "/app", secure=False) == [
        f"sheen-visitor={first}; Path=/app/; HttpOnly; SameSite=Lax"
    ]
    common = f"sheen-visitor={first}; Path=/; HttpOnly; SameSite=None; Secure"
    assert set_visitor(first, "", secure=True) == [f"{common}; Partitioned", common]


@pytest.mark.parametrize(
    ("path", "is_open"),
    [
        ("/own?s=201", True),
        (f"/session/{TOKEN}/dataobj/x?w=1", True),
        (f"/session/{BARE}/dataobj/x?w=1", False),
        (f"/%73ession/{BARE}/dataobj/x", False),
        (f"/session/{'0' * 32}/dataobj/x", False),
        (f"/files/session/{'0' * 32}/x", True),  # the app's own
    ],
)
def test_a_page_sends_bodies_to_no_other_session(path: str, is_open: bool) -> None:
    assert SessionUrls(cast(RealSessions, Sessions())).is_open_to("s1", path) == is_open
