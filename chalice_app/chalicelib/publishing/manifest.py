"""``manifest.json``, as rsconnect and rsconnect-python write it into what they pack. Pure."""

import json
from typing import Any

FILE = "manifest.json"
LARGEST = 5 * 1024**2
"""Bytes, as of other lock files: it names each file and describes each package, and takes up to 25 times as much memory when it is read."""


def parse(text: str | bytes) -> dict[str, Any] | None:
    """Return the manifest; None when it is not rsconnect's: any app may have a file of this name."""
    try:
        manifest = json.loads(text)
    except (ValueError, RecursionError):
        return None
    metadata = manifest.get("metadata") if isinstance(manifest, dict) else None
    return manifest if isinstance(metadata, dict) and isinstance(metadata.get("appmode"), str) else None


def appmode(text: str | bytes) -> str | None:
    """Return what it says that the bundle is (``shiny``, ``python-shiny``); None when it is not rsconnect's."""
    found = parse(text)
    return found["metadata"]["appmode"] if found else None
