"""Which requests may change something: only those of Sheen's own pages. Pure.

A foreign page can make a visitor's browser send a form here, with the visitor's cookies. A browser
says where a request comes from, and a page cannot change what it says. An app's page is of the same
origin as Sheen's own, so a form also carries a token that only the form's page and a cookie know,
and which a page gets by a navigation only.
"""

import hmac
from collections.abc import Sequence
from urllib.parse import urlsplit

SHORTEST_TOKEN = 20


def is_own_form(
    fetch_site: Sequence[str], origin: Sequence[str], host: str, token: str, cookies: Sequence[str]
) -> bool:
    """Return whether a form was sent by a page of Sheen's own.

    :param fetch_site: every ``Sec-Fetch-Site``, which all current browsers send.
    :param origin: every ``Origin``, which browsers send with each POST.
    :param host: the host that the visitor asked.
    :param token: the form's token.
    :param cookies: every value of the token's cookie.
    """
    return _from_here(fetch_site, origin, host) and _is_token(token, cookies)


def is_navigation(mode: str, dest: str) -> bool:
    """Return whether a browser's own window asks, and no script or frame.

    :param mode: ``Sec-Fetch-Mode``; empty for browsers that do not send it.
    :param dest: ``Sec-Fetch-Dest``.
    """
    return mode in ("", "navigate") and dest in ("", "document")


def _from_here(fetch_site: Sequence[str], origin: Sequence[str], host: str) -> bool:
    if len(fetch_site) > 1 or len(origin) > 1:
        return False
    if fetch_site and fetch_site[0] != "same-origin":
        return False
    # A page with `Referrer-Policy: no-referrer` sends the origin "null" with its form.
    if fetch_site and (not origin or origin[0] == "null"):
        return True
    return bool(origin) and _host_of(origin[0]) == host.lower() != ""


def _host_of(origin: str) -> str:
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""


def _is_token(token: str, cookies: Sequence[str]) -> bool:
    # Two cookies of the name: somebody else has set one.
    return (
        len(cookies) == 1
        and len(token) >= SHORTEST_TOKEN
        and hmac.compare_digest(token.encode("utf-8", "replace"), cookies[0].encode())
    )
