"""What passes between a visitor and R, and what must not."""

import pytest
from multidict import CIMultiDict, CIMultiDictProxy

from agent.http import headers


def passed(values: dict[str, str], *, base: str = "/hello", page: bool = False) -> CIMultiDict[str]:
    return headers.to_worker(CIMultiDictProxy(CIMultiDict(values)), base, "the secret", page=page)


@pytest.mark.parametrize(
    "name", ["Shiny-Shared-Secret", "shiny-server-credentials", "Sheen-Agent-Key", "sheen-session"]
)
def test_a_visitor_cannot_speak_for_the_agent(name: str) -> None:
    assert passed({name: "forged"}).getall(name, []) in ([], ["the secret"])


def test_hop_by_hop_headers_end_here_also_those_that_connection_names() -> None:
    result = passed(
        {
            "Connection": "close, X-Private",
            "X-Private": "1",
            "Transfer-Encoding": "chunked",
            "Cookie": "a=1",
        }
    )
    assert set(result) == {
        "Cookie",
        "Accept-Encoding",
        "Shiny-Shared-Secret",
        "X-Forwarded-Prefix",
        headers.VISITOR,
    }


def test_r_is_asked_for_a_plain_body_and_for_a_whole_page() -> None:
    asked = {
        "Accept-Encoding": "gzip",
        "If-None-Match": '"x"',
        "Range": "bytes=0-1",
        "If-Modified-Since": "yesterday",
    }
    assert passed(asked)["Accept-Encoding"] == "identity"
    assert "If-None-Match" in passed(asked)
    assert not {"If-None-Match", "Range", "If-Modified-Since"} & set(passed(asked, page=True))


def test_r_learns_who_asked_for_what() -> None:
    result = passed(
        {"Host": "example.com", "X-Forwarded-For": "192.0.2.1", "X-Forwarded-Host": "inner"}
    )
    assert result["X-Forwarded-Host"] == result["Host"] == "example.com"
    assert result["X-Forwarded-For"] == "192.0.2.1"
    assert result["X-Forwarded-Prefix"] == "/hello"


def test_r_cannot_speak_for_the_agent_either() -> None:
    answer = CIMultiDictProxy(
        CIMultiDict({"Sheen-Refused": "x", "Connection": "keep-alive", "X-Own": "1"})
    )
    assert dict(headers.from_worker(answer, "", "example.com")) == {"X-Own": "1"}


def test_two_cookies_stay_two() -> None:
    answer = CIMultiDictProxy(CIMultiDict([("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")]))
    assert headers.from_worker(answer, "", "example.com").getall("Set-Cookie") == ["a=1", "b=2"]


def test_values_of_any_bytes_can_be_sent_on() -> None:
    odd = "€ caf\udce9 \ud800\x07"
    assert passed({"Cookie": f"a={odd}; sheen-visitor=1"})["Cookie"] == "a=€ café \ufffd"
    assert (
        headers.from_worker(CIMultiDictProxy(CIMultiDict({"X-Own": odd})), "", "h")["X-Own"]
        == "€ café \ufffd"
    )


def test_a_page_for_one_visitor_is_kept_by_no_cache() -> None:
    made = headers.of_page(
        CIMultiDict({"ETag": "x", "content-length": "3", "Cache-Control": "public", "X-Own": "1"}),
        10,
    )
    assert dict(made) == {
        "X-Own": "1",
        "Content-Length": "10",
        "Cache-Control": "private, no-store",
    }


@pytest.mark.parametrize(
    ("location", "base", "public"),
    [
        ("/report?x=1", "/team/sales", "/team/sales/report?x=1"),
        ("/", "/hello", "/hello/"),
        ("next", "/hello", "next"),
        ("/hello/x", "/hello", "/hello/x"),
        ("/helloworld", "/hello", "/hello/helloworld"),
        ("http://example.com/x", "/hello", "http://example.com/hello/x"),
        ("https://elsewhere.org/x", "/hello", "https://elsewhere.org/x"),
        ("//elsewhere.org/x", "/hello", "//elsewhere.org/x"),
        ("mailto:a@example.com", "/hello", "mailto:a@example.com"),
        ("/x", "", "/x"),
    ],
)
def test_a_redirect_stays_within_the_apps_public_path(
    location: str, base: str, public: str
) -> None:
    assert headers.public_location(location, base, "example.com") == public


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        ({"Host": "example.com", "Sheen-Address": "192.0.2.1"}, "192.0.2.1 http example.com 80"),
        ({"Host": "example.com:8000", "X-Forwarded-Proto": "https"}, "- https example.com 8000"),
        (
            {"Host": "gw", "X-Forwarded-Host": "example.com", "X-Forwarded-Proto": "https"},
            "- https example.com 443",
        ),
        (
            {"Host": "[2001:db8::1]:80", "Sheen-Address": "2001:db8::2"},
            "2001:db8::2 http [2001:db8::1] 80",
        ),
        ({"Host": "a b", "Sheen-Address": "x y"}, "- http - 80"),
        ({}, "- http - 80"),
    ],
)
def test_a_worker_is_told_who_asks_for_what(sent: dict[str, str], told: str) -> None:
    assert passed(sent)[headers.VISITOR] == told


def test_a_visitor_cannot_say_it() -> None:
    assert passed({"Sheen-Visitor": "192.0.2.9 https evil 1"}).getall(headers.VISITOR) == [
        "- http - 80"
    ]


def test_a_gzipped_answer_is_another_representation() -> None:
    before = CIMultiDict(
        {
            "ETag": '"e"',
            "Accept-Ranges": "bytes",
            "Content-Length": "9",
            "Vary": "Origin",
            "Content-Type": "text/css",
        }
    )
    made = headers.packed(before)
    assert (made["ETag"], made["Content-Encoding"], made.getall("Vary")) == (
        'W/"e"',
        "gzip",
        ["Origin", "Accept-Encoding"],
    )
    assert not {"Accept-Ranges", "Content-Length"} & set(made)


@pytest.mark.parametrize(
    ("sent", "packable"),
    [
        ({"Content-Type": "application/json; charset=utf-8"}, True),
        ({"Content-Type": "image/svg+xml"}, True),
        ({"Content-Type": "text/css", "Content-Encoding": "br"}, False),
        ({"Content-Type": "text/csv", "Content-Disposition": "attachment"}, False),
        ({"Content-Type": "text/css", "Cache-Control": "no-transform"}, False),
        ({"Content-Type": "image/png"}, False),
        ({}, False),
    ],
)
def test_text_is_gzipped_unless_it_is_so_or_must_not(sent: dict[str, str], packable: bool) -> None:
    assert headers.is_packable(CIMultiDict(sent)) is packable
