"""Tell Sheen's cookies from an app's, and limit where an app's hold. Pure.

All apps of a deployment share a host, so a browser keeps their cookies together. An app therefore
sets cookies for its own path only, never under a name of Sheen's, and never for other hosts.
"""

OURS = "sheen-"
"""The prefix of the names of Sheen's cookies."""
_PREFIXES = ("__hosthttp-", "__host-", "__http-", "__secure-")
"""A browser accepts a name with one of these prefixes only under conditions."""
_OF_WHOLE_HOST = ("__hosthttp-", "__host-")
"""A browser accepts these prefixes only for the path ``/``."""


def is_ours(name: str) -> bool:
    """Return whether a cookie's name is one of Sheen's, in any spelling.

    >>> is_ours("sheen-ticket"), is_ours("__Host-Sheen-Ticket"), is_ours("session")
    (True, True, False)
    """
    low = name.strip().lower()
    prefix = next((prefix for prefix in _PREFIXES if low.startswith(prefix)), "")
    return low.removeprefix(prefix).startswith(OURS)


def of_app(header: str) -> str:
    """Return a ``Cookie`` header without Sheen's cookies.

    >>> of_app("a=1; sheen-ticket=x.y; b=2")
    'a=1; b=2'
    """
    pairs = (pair.strip() for pair in header.split(";"))
    return "; ".join(pair for pair in pairs if pair and not is_ours(pair.partition("=")[0]))


def values(header: str, name: str) -> list[str]:
    """Return the values of a name in a ``Cookie`` header, the most specific path's first.

    >>> values("a=1; b=2; a=3", "a")
    ['1', '3']
    """
    pairs = (pair.strip().partition("=") for pair in header.split(";"))
    return [value for found, _, value in pairs if found == name and value]


def site(*, secure: bool) -> str:
    """Return the attributes of Sheen's cookies that say with which pages' requests they are sent.

    ``secure`` says that the visitor came by https. An app may be shown within another site's page.
    There a browser sends a cookie only if it has ``SameSite=None``. Where third-party cookies are
    blocked, the browser keeps it only if it has ``Partitioned``. The code that reads the cookie
    checks which page asks.
    """
    return "SameSite=None; Secure; Partitioned" if secure else "SameSite=Lax"


def held_to(set_cookie: str, base: str) -> str | None:
    """Return an app's ``Set-Cookie`` header, limited to this host and to paths below ``base``.

    ``base`` is the app's public path without a slash at its end. Return None if the cookie is
    refused, because it has a name of Sheen's, no name, or a name that requires the path ``/``. A
    browser sends the value of a cookie without a name as it is, and that may look like another
    cookie.

    >>> held_to("a=1; Path=/; Domain=example.com; HttpOnly", "/sales")
    'a=1; HttpOnly; Path=/sales/'
    >>> held_to("sheen-ticket=evil", "/sales") is None
    True
    """
    pair, *attributes = (part.strip() for part in set_cookie.split(";"))
    name = pair.partition("=")[0].strip()
    if "=" not in pair or not name or is_ours(name):
        return None
    if base and name.lower().startswith(_OF_WHOLE_HOST):
        return None
    path: str | None = None
    kept = [pair]
    for attribute in attributes:
        key, _, value = attribute.partition("=")
        match key.strip().lower():
            case "path":  # the last one counts
                path = value.strip()
            case "domain" | "":
                pass
            case _:
                kept.append(attribute)
    if path is not None:
        below = path == base or path.startswith(f"{base}/")
        kept.append(f"Path={path if below else f'{base}/'}")
    return "; ".join(kept)
