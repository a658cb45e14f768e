"""Where a visitor goes on after signing in: a page of this deployment, and nowhere else. Pure."""

import re

LOGIN, LOGOUT = "/__login__", "/__logout__"
LONGEST = 2000
_LOCAL = re.compile(r"/(?![/\\])[\x21-\x5b\x5d-\x7e]*")
"""A path with its query: printable ASCII without a backslash, which browsers read as a slash."""


def safe(wanted: str, base: str) -> str:
    """Return the URL to go on to: ``wanted`` if it is a page here, and else the list of apps.

    ``base`` is the public URL's part before the deployment's own paths.

    >>> safe("/prod/sales/?a=1", "/prod"), safe("//evil.example/", "/prod")
    ('/prod/sales/?a=1', '/prod/')
    """
    here = base.rstrip("/") + "/"
    if len(wanted) > LONGEST or not _LOCAL.fullmatch(wanted) or not wanted.startswith(here):
        return here
    path = re.split(r"[?#]", wanted, maxsplit=1)[0]
    below = path[len(here) - 1 :]
    # An encoded slash or dot may become a real one on the way.
    if "//" in path or re.search(r"/\.{1,2}(/|$)|%(2e|2f|5c|0|1)", path, re.IGNORECASE):
        return here
    return here if below.startswith((LOGIN, LOGOUT)) else wanted
