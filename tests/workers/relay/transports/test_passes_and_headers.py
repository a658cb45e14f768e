from __future__ import annotations

import pytest

from chalicelib.sessions.passes import from_own_site, set_cookie, tickets
from relay.transports.headers import cors, jsessionid
from relay.transports.pages import iframe, matches

HOST = "app.example"


def test_the_ticket_cookie_goes_to_the_apps_socket_only() -> None:
    assert (
        set_cookie("a.b", "/team/x", secure=False)
        == "sheen-ticket=a.b; Path=/team/x/__sockjs__/; HttpOnly; SameSite=Lax"
    )
    assert (
        set_cookie("a.b", "", secure=True)
        == "sheen-ticket=a.b; Path=/__sockjs__/; HttpOnly; SameSite=None; Secure; Partitioned"
    )


def test_tickets_are_read_in_their_order() -> None:
    assert tickets("x=1; sheen-ticket=tab.sig; y=2;sheen-ticket=page.sig; sheen-ticket=") == [
        "tab.sig",
        "page.sig",
    ]
    assert tickets("my-sheen-ticket=no; sheen-ticket") == []
    assert len(tickets("; ".join(["sheen-ticket=x"] * 100))) == 8


@pytest.mark.parametrize(
    ("fetch_site", "origin", "own"),
    [
        ("same-origin", "https://evil.example", True),
        ("none", "", True),
        ("cross-site", "", False),
        ("same-site", "https://app.example", False),
        ("", "", True),
        ("", "https://app.example", True),
        ("", "https://evil.example", False),
        ("", "null", False),
        ("", "http://[", False),
    ],
)
def test_another_sites_page_cannot_use_the_visitors_cookie(
    fetch_site: str, origin: str, own: bool
) -> None:
    assert from_own_site(fetch_site, origin, HOST) is own


def test_a_cookie_that_could_end_the_header_is_not_echoed() -> None:
    assert jsessionid("JSESSIONID=a;b=c") == {"Set-Cookie": "JSESSIONID=a; path=/"}
    for bad in (
        'JSESSIONID="a b"',
        "JSESSIONID=<x>",
        "JSESSIONID=" + "a" * 129,
        "XJSESSIONID=a",
        "",
    ):
        assert jsessionid(bad) == {"Set-Cookie": "JSESSIONID=dummy; path=/"}


def test_cors_names_the_origin_also_of_files_and_lets_credentials_come_from_nowhere_else() -> None:
    for origin in ("http://a", "null"):
        assert cors(origin, "")["Access-Control-Allow-Origin"] == origin
        assert cors(origin, "")["Access-Control-Allow-Credentials"] == "true"
    assert cors("", "") == {"Access-Control-Allow-Origin": "*", "Vary": "Origin"}


def test_cors_allows_no_odd_headers() -> None:
    assert "Access-Control-Allow-Headers" not in cors("http://a", "x\r\ny: z")


def test_the_librarys_url_cannot_leave_its_attribute() -> None:
    page, etag = iframe('/x"><script>')
    assert '"/x&quot;>&lt;script>"' in page
    assert matches(etag, f"W/{etag}") and not matches(etag, "")
