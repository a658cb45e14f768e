"""``manifest.json``, as rsconnect and rsconnect-python write it into bundles. Pure."""

import json
from typing import Any

FILE = "manifest.json"
LARGEST = 5 * 1024**2
"""Bytes, the limit of other lock files too.

The manifest names each file and describes each package. Reading it takes up to 25 times as much
memory.
"""


def parse(text: str | bytes) -> dict[str, Any] | None:
    """Return the manifest, or None if it is not rsconnect's: any app may have such a file."""
    try:
        manifest = json.loads(text)
    except (ValueError, RecursionError):
        return None
    metadata = manifest.get("metadata") if isinstance(manifest, dict) else None
    return (
        manifest
        if isinstance(metadata, dict) and isinstance(metadata.get("appmode"), str)
        else None
    )


def appmode(text: str | bytes) -> str | None:
    """Return what kind of bundle the manifest declares; None if it is not rsconnect's.

    Kinds are, for example, ``shiny`` and ``python-shiny``.
    """
    found = parse(text)
    return found["metadata"]["appmode"] if found else None
