"""An app's R scripts that run as a task: which may run, and where their files may go. Pure."""

import re

from chalicelib.errors import Malformed
from chalicelib.syncs.definition import OWN_DATA

LOGS = "scripts/"
"""Key prefix of the output of scripts."""

_SEGMENT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._ -]{0,99}")


class BadScript(Malformed):
    """The script, or the target of its files, is not allowed."""


def check_script(path: str) -> str:
    """Return the path of a script within its app; raise :class:`BadScript` if it is not allowed."""
    if not all(_SEGMENT.fullmatch(part) for part in path.split("/")) or not path.lower().endswith(
        ".r"
    ):
        raise BadScript(
            f'script "{path}": name an .R file by its path within the app, as in train.R '
            "or jobs/train.R"
        )
    return path


def check_target(prefix: str) -> str:
    """Return a key prefix that ends with a slash; raise :class:`BadScript` if it is not allowed."""
    whole = prefix if prefix.endswith("/") else f"{prefix}/"
    parts = whole.removesuffix("/").split("/")
    if (
        len(whole) > 500
        or whole == OWN_DATA
        or not whole.startswith(OWN_DATA)
        or not all(_SEGMENT.fullmatch(part) for part in parts)
    ):
        raise BadScript(f'target "{prefix}": files go below {OWN_DATA}, as in {OWN_DATA}sales/')
    return whole
