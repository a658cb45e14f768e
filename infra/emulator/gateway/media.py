"""The media types that an API treats as binary."""

from __future__ import annotations

from collections.abc import Sequence


def media_type(header: str | None) -> str:
    """Return the first media type of a header, without parameters.

    API Gateway looks at nothing else.
    """
    return (header or "").split(",", 1)[0].split(";", 1)[0].strip().lower()


def is_binary(header: str | None, binary_media_types: Sequence[str]) -> bool:
    """Return whether a header's first media type is one of the API's binary ones.

    "*/*" matches everything, including a missing header.
    """
    wanted = media_type(header)
    for pattern in binary_media_types:
        if pattern in ("*/*", wanted):
            return True
        if pattern.endswith("/*") and wanted.startswith(pattern[:-1]):
            return True
    return False
