"""The cookies that a browser shows for a session.

The page's answer sets them.

* The ticket cookie, below ``<app>/__sockjs__/``, says whose session a new SockJS client may have.
  Sheen's own client sets a ticket cookie of its own at ``…/__sockjs__/n=<id>``, so that two tabs do
  not share one. A browser shows the cookie with the more specific path first.
* The visitor cookie, below ``<app>/``, says which browser it is; all its tabs share it. The URLs of
  a session, and SockJS clients that come back, are answered only to the browser that got the
  session's page. An id in a URL is no pass by itself, because URLs get logged and shared.
"""

from __future__ import annotations

import hmac
import re
import secrets
from urllib.parse import urlsplit

from chalicelib import cookies

COOKIE = "sheen-ticket"
VISITOR = "sheen-visitor"
_FORM = re.compile(r"[0-9A-Za-z_-]{32}\Z")


def set_cookie(ticket: str, base: str, *, secure: bool) -> str:
    """Return the ``Set-Cookie`` header of a page's ticket.

    ``base`` is the app's public path without a trailing slash.
    """
    return f"{COOKIE}={ticket}; Path={base}/__sockjs__/; HttpOnly; {cookies.site(secure=secure)}"


def set_visitor(visitor: str, base: str, *, secure: bool) -> list[str]:
    """Return the ``Set-Cookie`` headers that tell a browser which visitor it is.

    By https there are two. A frame in another site's page may open a download in a tab of its own,
    and there the browser does not show a partitioned cookie. It shows the other cookie, unless
    third-party cookies are blocked.
    """
    made = f"{VISITOR}={visitor}; Path={base}/; HttpOnly; "
    sites = (
        [cookies.site(secure=secure), "SameSite=None; Secure"]
        if secure
        else [cookies.site(secure=secure)]
    )
    return [made + site for site in sites]


def visitor_of(cookie_header: str) -> str:
    """Return the visitor that a browser is, or a new visitor if the browser has no cookie yet."""
    known = (value for value in cookies.values(cookie_header, VISITOR) if _FORM.match(value))
    return next(known, None) or secrets.token_urlsafe(24)


def is_visitor(cookie_header: str, visitor: str) -> bool:
    """Return whether a browser is this visitor."""
    shown = cookies.values(cookie_header, VISITOR)[:8]
    return bool(visitor) and any(
        hmac.compare_digest(value.encode(errors="replace"), visitor.encode()) for value in shown
    )


def tickets(cookie_header: str) -> list[str]:
    """Return the tickets in a ``Cookie`` header, the one with the most specific path first."""
    return cookies.values(cookie_header, COOKIE)[:8]


def from_own_site(fetch_site: str, origin: str, host: str) -> bool:
    """Return whether a request comes from the app's own page.

    Another site's page may not use the visitor's cookie.

    :param fetch_site: ``Sec-Fetch-Site``, which all current browsers send.
    :param origin: ``Origin``, which other browsers send at least from other sites.
    :param host: the host that the visitor asked.
    """
    if fetch_site:
        return fetch_site in ("same-origin", "none")
    try:
        return not origin or urlsplit(origin).netloc == host
    except ValueError:
        return False
