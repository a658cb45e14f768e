"""Which users apps may run as, judged by their names. Pure.

A name gives an app no privilege that apps may not have. What else the machine knows of a user is
judged where it is known: on one machine by ``infra/local/users.py``.
"""

import re

LONGEST = 64
FORBIDDEN = ("root", "toor")
"""Names of the user who may do everything."""
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.@-]*\$?\Z")


def why_refused(name: str) -> str:
    """Return why apps may not run as this user; empty: they may.

    >>> why_refused("shiny"), why_refused("root")
    ('', 'apps may not run as root, who may do everything; name another user, such as shiny')
    """
    if name in FORBIDDEN:
        return (
            f"apps may not run as {name}, who may do everything; name another user, such as shiny"
        )
    if len(name) > LONGEST or not _NAME.match(name):
        return (
            f'"{name[:LONGEST]}" cannot be the name of a user; a name begins with a letter, goes '
            f"on with letters, digits, _, ., @ and -, and has at most {LONGEST} characters"
        )
    return ""
