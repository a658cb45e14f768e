"""Forms of other sites, places elsewhere, cookies of others: none of them counts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.identity import destinations, life, login_cookie, same_site

TOKEN = "t" * 43
HOST = "apps.example.org"
HERE = f"https://{HOST}"


@pytest.mark.parametrize(
    ("site", "origin", "token", "cookies", "own"),
    [
        (["same-origin"], [HERE], TOKEN, [TOKEN], True),
        (["same-origin"], ["null"], TOKEN, [TOKEN], True),
        (["same-origin"], [], TOKEN, [TOKEN], True),
        ([], [HERE], TOKEN, [TOKEN], True),
        ([], [HERE.upper()], TOKEN, [TOKEN], True),
        ([], [], TOKEN, [TOKEN], False),
        ([], ["null"], TOKEN, [TOKEN], False),
        ([], ["https://evil.example"], TOKEN, [TOKEN], False),
        (["same-site"], [HERE], TOKEN, [TOKEN], False),
        (["cross-site"], [HERE], TOKEN, [TOKEN], False),
        (["none"], [HERE], TOKEN, [TOKEN], False),
        (["same-origin", "cross-site"], [HERE], TOKEN, [TOKEN], False),
        (["same-origin"], [HERE, "https://evil.example"], TOKEN, [TOKEN], False),
        (["same-origin"], ["https://evil.example"], TOKEN, [TOKEN], False),
        (["same-origin"], [HERE], "", [""], False),
        (["same-origin"], [HERE], "", [], False),
        (["same-origin"], [HERE], TOKEN, [], False),
        (["same-origin"], [HERE], TOKEN, [TOKEN, TOKEN], False),
        (["same-origin"], [HERE], "other" * 9, [TOKEN], False),
    ],
)
def test_only_a_form_of_our_own_page_counts(
    site: list[str], origin: list[str], token: str, cookies: list[str], own: bool
) -> None:
    assert same_site.is_own_form(site, origin, HOST, token, cookies) is own


@pytest.mark.parametrize(
    "wanted",
    [
        *("", "//evil", "/\\evil", "\\/evil", "/\t/evil", "/%09/evil", "/%0a/evil", "https:evil"),
        *("/x/..//evil", "/x/../evil", "/x/%2e%2e/evil", "//evil@us", "/prod//evil", "/prodigal/"),
        *("/prod/__login__/", "/prod/__logout__", "/prod/\u2028", "/prod/" + "x" * 9000),
        *("javascript:alert(1)", "/prod/a b", "/prod/%5cevil", "/prod/%2f%2fevil"),
    ],
)
def test_a_place_elsewhere_becomes_the_list_of_apps(wanted: str) -> None:
    assert destinations.safe(wanted, "/prod") == "/prod/"


@pytest.mark.parametrize("wanted", ["/prod/", "/prod/team/sales/?a=1&b=%20c#d", "/prod/x.y/z"])
def test_a_page_here_is_gone_on_to(wanted: str) -> None:
    assert destinations.safe(wanted, "/prod") == wanted


@given(st.text(max_size=50), st.sampled_from(["", "/prod"]))
def test_whatever_is_wanted_the_place_is_here(wanted: str, base: str) -> None:
    found = destinations.safe(base + wanted, base)
    assert found.startswith(f"{base}/")
    assert not found.startswith(("//", "/\\"))
    assert found.isascii()


def test_of_two_cookies_neither_counts() -> None:
    one, two = "a" * 43, "b" * 43
    name = "__Host-sheen-login"
    assert login_cookie.login_in(f"x=1; {name}={one}", secure=True) == one
    assert login_cookie.login_in(f"{name}={one}; {name}={two}", secure=True) is None
    assert login_cookie.login_in(f"sheen-login={one}", secure=True) is None
    assert login_cookie.login_in(f"{name}=short", secure=True) is None
    assert login_cookie.set_login(one, secure=True) == (
        f"{name}={one}; Path=/; HttpOnly; SameSite=Lax; Secure"
    )
    assert one not in login_cookie.login_id(one)


@given(st.floats(0, 1e6), st.floats(600, 1e5), st.lists(st.floats(0, 1e5), max_size=20))
def test_a_login_in_use_lives_until_its_end_and_an_unused_one_for_its_duration(
    now: float, duration: float, pauses: list[float]
) -> None:
    living = life.new(now, duration)
    for pause in pauses:
        now += pause
        if living.is_over(now):
            assert now >= min(living.used_at + duration, living.ends_at)
            return
        assert now < living.ends_at
        if living.is_due(now):
            living = living._replace(used_at=now)
        assert now - living.used_at < duration / 4
