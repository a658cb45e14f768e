"""Pages that an agent keeps for visitors who wait, and how a browser asks for one. Pure."""

import re
from typing import NamedTuple

from chalicelib import cookies
from chalicelib.instances.worker_id import WorkerId

PAGES = "/__sheen__/pages/"
"""Below an app's path, the URL where a waiting page asks how far its page is."""

COOKIE = "sheen-page"
_LIFE = 900
_TOKEN = re.compile(r"([A-Za-z0-9_-]{20,64})\.(.+)\Z")


class KeptPage(NamedTuple):
    """A page that an instance keeps."""

    token: str
    worker: WorkerId


def page_cookie(token: str, worker_id: str, base: str, *, secure: bool) -> str:
    """Return the ``Set-Cookie`` header that names a kept page; without a ``token``, delete it.

    The waiting page's script sets the cookie too, so it is not HttpOnly. It is good for one page,
    once.

    >>> page_cookie("", "v1.0.0", "/team/app", secure=False)
    'sheen-page=; Path=/team/app/; Max-Age=0; SameSite=Lax'
    """
    value, life = (f"{token}.{worker_id}", _LIFE) if token else ("", 0)
    return f"{COOKIE}={value}; Path={base}/; Max-Age={life}; {cookies.site(secure=secure)}"


def kept_page(cookie_header: str) -> KeptPage | None:
    """Return the kept page that a ``Cookie`` header asks for, or None.

    >>> kept_page("a=1; sheen-page=0123456789abcdefghij.20261120T000000Z-0000.0.0").worker
    WorkerId(version='20261120T000000Z-0000', slot=0, number=0)
    """
    match = next(filter(None, map(_TOKEN.match, cookies.values(cookie_header, COOKIE))), None)
    worker = WorkerId.parse(match[2]) if match else None
    return KeptPage(match[1], worker) if match and worker else None
