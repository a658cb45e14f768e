"""The ticket cookie, which says whose session a new SockJS client may have.

The page's answer sets it below ``<app>/__sockjs__/``. Sheen's own client sets one of its own at ``…/__sockjs__/n=<id>``,
so that two tabs do not share it; a browser shows the more exact one first.
"""

from __future__ import annotations

from urllib.parse import urlsplit

COOKIE = "sheen-ticket"


def set_cookie(ticket: str, base: str, *, secure: bool) -> str:
    """The ``Set-Cookie`` header of a page. ``base`` is the app's public path without a trailing slash."""
    return f"{COOKIE}={ticket}; Path={base}/__sockjs__/; HttpOnly; SameSite=Lax" + ("; Secure" if secure else "")


def tickets(cookie_header: str) -> list[str]:
    """The tickets in a ``Cookie`` header, the most exact first."""
    pairs = (pair.strip().partition("=") for pair in cookie_header.split(";"))
    return [value for name, _, value in pairs if name == COOKIE and value][:8]


def from_own_site(fetch_site: str, origin: str, hosts: tuple[str, ...]) -> bool:
    """Whether a request comes from the app's own page: another site's may not use the visitor's cookie.

    :param fetch_site: ``Sec-Fetch-Site``, which all present browsers send.
    :param origin: ``Origin``, which the others send at least from other sites.
    :param hosts: what the app's own host may be.
    """
    if fetch_site:
        return fetch_site in ("same-origin", "none")
    return not origin or urlsplit(origin).netloc in hosts
