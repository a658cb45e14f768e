"""S3 keys as events spell them, as file names, and as patterns in DataSync's filters. Pure.

EventBridge sends keys unencoded, in one event for each object (FACTS E7).
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

FILTER_CHARACTERS = 102_400
"""Limit of one filter: all its patterns and the ``|`` between them."""
FILTER_BYTES = 60_000
"""Limit of one of our filters.

Step Functions passes at most 256 KiB between states, where a character of two bytes can take six.
"""
LONGEST_NAME = 255
"""Bytes of the name of one folder or file."""

_SPECIAL = re.compile(r"[\\*|]")


class WrittenObject(NamedTuple):
    """An object that has been written."""

    bucket: str
    key: str
    size: int


def written(event: Mapping[str, Any]) -> WrittenObject:
    """Return the object that an event from EventBridge is about."""
    detail = event["detail"]
    return WrittenObject(
        detail["bucket"]["name"], detail["object"]["key"], int(detail["object"].get("size", 0))
    )


def unfit(relative: str) -> str | None:
    """Say why a key cannot be the path of a file, or return None if it can.

    A key that ends with a slash is a folder.
    """
    for segment in relative.removesuffix("/").split("/"):
        if segment in ("", ".", ".."):
            return f'"{segment}" cannot be the name of a folder or file'
        if "\0" in segment:
            return "a name has a NUL in it"
        if len(segment.encode(errors="surrogatepass")) > LONGEST_NAME:
            return f'the name "{segment[:20]}…" has more than {LONGEST_NAME} bytes'
    return None


def pattern_of(relative: str) -> str:
    """Return DataSync's pattern for exactly this key: special characters get a backslash."""
    return "/" + _SPECIAL.sub(r"\\\g<0>", relative)


def prefix_pattern(prefix: str) -> str:
    """Return DataSync's pattern for all keys with this prefix.

    The pattern of a folder matches everything in it.
    """
    return pattern_of(prefix[:-1]) if prefix.endswith("/") else f"{pattern_of(prefix)}*"


def chunks(relatives: Iterable[str], limit: int = FILTER_BYTES) -> Iterator[list[str]]:
    """Divide keys or prefixes into chunks, each as large as one filter takes."""
    chunk: list[str] = []
    size = 0
    for relative in relatives:
        more = len(prefix_pattern(relative).encode(errors="surrogatepass")) + 1
        if chunk and size + more > limit:
            yield chunk
            chunk, size = [], 0
        chunk.append(relative)
        size += more
    if chunk:
        yield chunk


def matcher(patterns: Iterable[str]) -> re.Pattern[str] | None:
    """Return an expression for paths that match any of DataSync's patterns; None without patterns.

    Paths have a slash in front. ``*`` stands for any characters; ``\\`` escapes ``*``, ``|`` and
    ``\\``. The pattern of a folder matches everything in it.
    """
    parts = [_as_expression(pattern) for pattern in patterns if pattern]
    return re.compile("|".join(parts), re.DOTALL) if parts else None


def _as_expression(pattern: str) -> str:
    parts = [""]
    at = 0
    while at < len(pattern):
        character = pattern[at]
        if character == "\\":  # ignored in front of an ordinary character
            at += 1
            parts[-1] += re.escape(pattern[at]) if at < len(pattern) else ""
        elif character == "*":
            parts.append("")
        else:
            parts[-1] += re.escape(character)
        at += 1
    first, *others = parts
    expression = first
    if others:
        *between, last = others
        # Text between two stars is matched at its first occurrence, without backtracking. No match
        # is lost, and the time is linear.
        expression += "".join(f"(?>.*?{part})" for part in between if part) + f".*{last}"
    return f"(?:{expression.removesuffix('/')})(?:/.*)?\\Z"


def split_filter(value: str) -> list[str]:
    """Return the patterns of a filter: its parts between ``|`` that no backslash precedes."""
    return [
        part for part in re.findall(r"((?:\\.|[^\\|])*)(?:\||\Z|\\\Z)", value, re.DOTALL) if part
    ]
