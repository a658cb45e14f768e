"""Whose a cookie is."""

import pytest

from chalicelib.cookies import held_to, is_ours, of_app


@pytest.mark.parametrize(
    ("set_cookie", "base", "held"),
    [
        ("a=1", "/app", "a=1"),
        (
            "a=1; Path=/app/; Secure; SameSite=None",
            "/app",
            "a=1; Secure; SameSite=None; Path=/app/",
        ),
        ("a=1; path=/app/deep; Max-Age=5", "/app", "a=1; Max-Age=5; Path=/app/deep"),
        ("a=1; Path=/", "/app", "a=1; Path=/app/"),
        ("a=1; Path=/apple", "/app", "a=1; Path=/app/"),
        ("a=1; Path=/other", "/app", "a=1; Path=/app/"),
        ("a=1; Path=/app; PATH=/", "/app", "a=1; Path=/app/"),
        ("a=1; Path=/", "", "a=1; Path=/"),
        ("a=1; Path=relative", "", "a=1; Path=/"),
        ("a=1; Domain=example.com;; Path = /x", "/app", "a=1; Path=/app/"),
        (
            "a=; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Path=/",
            "/app",
            "a=; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Path=/app/",
        ),
        ("__Secure-a=1; Secure; Path=/", "/app", "__Secure-a=1; Secure; Path=/app/"),
        ("__Host-a=1; Secure; Path=/", "", "__Host-a=1; Secure; Path=/"),
        ("__Host-a=1; Secure; Path=/", "/app", None),
        ("sheen-ticket=evil; Path=/", "/app", None),
        ("SHEEN-visitor=evil", "/app", None),
        ("__Secure-sheen-visitor=evil; Secure", "", None),
        ("__Host-Sheen-visitor=evil; Secure; Path=/", "", None),
        ("=sheen-ticket=evil", "/app", None),
        ("sheen-ticket", "/app", None),
        ("", "/app", None),
    ],
)
def test_an_apps_cookie_holds_for_the_app(set_cookie: str, base: str, held: str | None) -> None:
    assert held_to(set_cookie, base) == held


def test_sheens_cookies_are_known_in_any_spelling() -> None:
    assert of_app(" a=1;sheen-x=2 ; __HTTP-Sheen-y=3; b ") == "a=1; b"
    assert not is_ours("my-sheen-ticket")
