"""What a browser shows for a session: cookies that the page's answer sets.

* The ticket cookie, below ``<app>/__sockjs__/``, says whose session a new SockJS client may have.
  Sheen's own client sets one of its own at ``…/__sockjs__/n=<id>``, so that two tabs do not share
  it; a browser shows the more exact one first.
* The visitor cookie, below ``<app>/``, says which browser it is: all tabs have the same. The URLs
  of a session, and SockJS clients that come back, are answered only to the browser that the
  session's page went to. An id in a URL is no pass by itself, for URLs get logged and shared.
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
    """The ``Set-Cookie`` header of a page's ticket. ``base`` is the app's public path without a
    trailing slash."""
    return f"{COOKIE}={ticket}; Path={base}/__sockjs__/; HttpOnly; {cookies.site(secure=secure)}"


def set_visitor(visitor: str, base: str, *, secure: bool) -> list[str]:
    """The ``Set-Cookie`` headers that tell a browser which visitor it is.

    By https there are two. A frame in another site's page that opens a download in a tab of its own
    shows a partitioned cookie there no more; the other one it shows where others' cookies are not
    blocked.
    """
    made = f"{VISITOR}={visitor}; Path={base}/; HttpOnly; "
    sites = [cookies.site(secure=secure), "SameSite=None; Secure"] if secure else [cookies.site(secure=secure)]
    return [made + site for site in sites]


def visitor_of(cookie_header: str) -> str:
    """Return which visitor a browser is, or a new one for a browser that has not been told."""
    known = (value for value in cookies.values(cookie_header, VISITOR) if _FORM.match(value))
    return next(known, None) or secrets.token_urlsafe(24)


def is_visitor(cookie_header: str, visitor: str) -> bool:
    """Whether a browser is this visitor."""
    shown = cookies.values(cookie_header, VISITOR)[:8]
    return bool(visitor) and any(hmac.compare_digest(value.encode(errors="replace"), visitor.encode()) for value in shown)


def tickets(cookie_header: str) -> list[str]:
    """The tickets in a ``Cookie`` header, the most exact first."""
    return cookies.values(cookie_header, COOKIE)[:8]


def from_own_site(fetch_site: str, origin: str, host: str) -> bool:
    """Whether a request comes from the app's own page: another site's may not use the visitor's
    cookie.

    :param fetch_site: ``Sec-Fetch-Site``, which all present browsers send.
    :param origin: ``Origin``, which the others send at least from other sites.
    :param host: the one that the visitor asked.
    """
    if fetch_site:
        return fetch_site in ("same-origin", "none")
    try:
        return not origin or urlsplit(origin).netloc == host
    except ValueError:
        return False
