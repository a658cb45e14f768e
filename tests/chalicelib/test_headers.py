"""The lists of headers that pass, and what no spelling gets past them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib import headers
from chalicelib.configuration import app_rules

FORGED = [
    "Proxy",
    "Remote-User",
    "X-Remote-User",
    "X-Auth-Request-Email",
    "X-Forwarded-User",
    "X-Forwarded-Prefix",
    "X-Real-IP",
    "Forwarded",
    "Shiny-Server-Credentials",
    "Shiny-Shared-Secret",
    "Sheen-Session",
    "Sec-WebSocket-Protocol",
    "Via",
    "Transfer-Encoding",
]
OF_THE_ORIGIN = [
    "Accept-CH",
    "Alt-Svc",
    "Clear-Site-Data",
    "Expect-CT",
    "NEL",
    "Origin-Agent-Cluster",
    "Public-Key-Pins",
    "Report-To",
    "Service-Worker-Allowed",
    "Set-Login",
    "Strict-Transport-Security",
    "X-Accel-Redirect",
    "X-Amzn-Remapped-Date",
]


@pytest.mark.parametrize("spell", [str, str.lower, str.upper, lambda name: name.replace("-", "_")])
@pytest.mark.parametrize("name", FORGED)
def test_a_visitor_cannot_say_what_only_a_proxy_or_sheen_says(name: str, spell: object) -> None:
    assert callable(spell)
    assert (
        headers.to_worker([(spell(name), "forged")])
        == headers.to_agent([(spell(name), "forged")])
        == []
    )


@pytest.mark.parametrize("name", sorted(headers.TO_WORKER))
def test_no_name_on_the_list_passes_with_underscores(name: str) -> None:
    assert headers.to_agent([(name, "1")]) == [(name, "1")]
    assert "_" not in name
    if "-" in name:
        assert headers.to_agent([(name.replace("-", "_"), "1")]) == []


def test_families_pass_but_for_names_with_underscores() -> None:
    passed = ["HX-Request", "Sec-Fetch-Site", "Sec-CH-UA", "X-App-Anything"]
    refused = ["HX_Request", "Sec-Fetch_Site", "X-App-My_Own", "Sec-WebSocket-Key"]
    assert [
        name for name, _ in headers.to_worker((name, "1") for name in passed + refused)
    ] == passed


listed = st.from_regex(r"[A-Za-z0-9-]{1,12}", fullmatch=True).filter(app_rules.is_passable)
sent = st.lists(st.tuples(st.text("Xx-_aA.1", min_size=1, max_size=4), st.just("1")), max_size=8)


@given(st.lists(listed, max_size=3), sent)
def test_beside_the_usual_headers_exactly_those_of_whitelist_headers_pass(
    names: list[str], sent: list[tuple[str, str]]
) -> None:
    more = app_rules.read_headers(names)
    sent += [(name.swapcase(), "2") for name in names]
    usual = headers.to_worker(sent)
    passed = headers.to_worker(sent, more)
    assert [pair for pair in passed if pair[0].lower() not in more] == [
        pair for pair in usual if pair[0].lower() not in more
    ]
    assert {name.lower() for name, _ in passed} >= set(more)
    assert not any("_" in name for name, _ in passed)


@pytest.mark.parametrize("name", ["x_role", "Sheen-Session", "Proxy", "TE", "a b", "", "ä", "x\n"])
def test_no_setting_lets_a_header_pass_that_only_sheen_or_a_connection_has(name: str) -> None:
    with pytest.raises(ValueError):
        app_rules.read_headers([name])


@pytest.mark.parametrize("name", FORGED)
def test_what_says_who_r_talks_to_cannot_be_listed(name: str) -> None:
    if name.lower().startswith(("sheen", "shiny", "proxy")):
        assert not app_rules.is_passable(name)


def test_a_worker_gets_the_apps_cookies_only() -> None:
    cookie = "a=1; sheen-ticket=t; __Host-sheen-visitor=v; SHEEN-place=p; b=2"
    assert headers.to_worker([("cookie", cookie), ("Cookie", "sheen-ticket=t")]) == [
        ("cookie", "a=1; b=2")
    ]
    assert headers.to_agent([("cookie", cookie)]) == [("cookie", cookie)]


@pytest.mark.parametrize("name", OF_THE_ORIGIN)
def test_an_app_cannot_send_what_governs_its_neighbours(name: str) -> None:
    for spelled in (name, name.lower(), name.upper(), name.replace("-", "_")):
        assert headers.from_worker([(spelled, "x")], "/app") == []


def test_what_describes_an_answer_passes() -> None:
    told = [
        ("Content-Type", "text/csv"),
        ("ETag", "1"),
        ("X-Total-Count", "3"),
        ("HX-Trigger", "x"),
        ("Vary", "Accept"),
    ]
    assert headers.from_worker(told, "/app") == told


@given(st.text(st.characters(codec=None), max_size=50), st.binary(max_size=20))
def test_every_value_becomes_one_line_that_utf_8_can_carry(value: str, raw: bytes) -> None:
    for said in (value, value + raw.decode("utf-8", "surrogateescape"), raw.decode("latin-1")):
        told = headers.text(said)
        told.encode()
        assert not {"\r", "\n", "\0"} & set(told)
        assert headers.text(told) == told
        assert headers.from_latin_1(told.encode().decode("latin-1")) == told
