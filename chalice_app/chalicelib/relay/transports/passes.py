"""The ticket cookie, which says whose session a new SockJS client may have.

The page's answer sets it below ``<app>/__sockjs__/``. Sheen's own client sets one of its own at ``…/__sockjs__/n=<id>``,
so that two tabs do not share it; a browser shows the more exact one first.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from chalicelib import cookies

COOKIE = "sheen-ticket"


def set_cookie(ticket: str, base: str, *, secure: bool) -> str:
    """The ``Set-Cookie`` header of a page. ``base`` is the app's public path without a trailing slash."""
    return f"{COOKIE}={ticket}; Path={base}/__sockjs__/; HttpOnly; SameSite=Lax" + ("; Secure" if secure else "")


def tickets(cookie_header: str) -> list[str]:
    """The tickets in a ``Cookie`` header, the most exact first."""
    return cookies.values(cookie_header, COOKIE)[:8]


def from_own_site(fetch_site: str, origin: str, host: str) -> bool:
    """Whether a request comes from the app's own page: another site's may not use the visitor's cookie.

    :param fetch_site: ``Sec-Fetch-Site``, which all present browsers send.
    :param origin: ``Origin``, which the others send at least from other sites.
    :param host: the one that the visitor asked.
    """
    if fetch_site:
        return fetch_site in ("same-origin", "none")
    return not origin or urlsplit(origin).netloc == host
