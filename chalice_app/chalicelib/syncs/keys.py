"""S3 keys as events spell them, as files can be called, and as DataSync's filters say them. Pure.

EventBridge gives keys as they are, one event for each object (FACTS E7).
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

FILTER_CHARACTERS = 102_400
"""Of one filter, all its patterns and the ``|`` between them."""
FILTER_BYTES = 60_000
"""Of one filter of ours: Step Functions passes 256 KiB from state to state, in which a character of two bytes can take six."""
LONGEST_NAME = 255
"""Bytes of one folder's or file's name."""

_SPECIAL = re.compile(r"[\\*|]")


class Written(NamedTuple):
    """An object that was written."""

    bucket: str
    key: str
    size: int


def written(event: Mapping[str, Any]) -> Written:
    """Return the object that an event of EventBridge's is about."""
    detail = event["detail"]
    return Written(detail["bucket"]["name"], detail["object"]["key"], int(detail["object"].get("size", 0)))


def unfit(relative: str) -> str | None:
    """Say why a key cannot be the path of a file, or return None when it can be. A key that ends with a slash is a folder."""
    for segment in relative.removesuffix("/").split("/"):
        if segment in ("", ".", ".."):
            return f'"{segment}" cannot be the name of a folder or file'
        if "\0" in segment:
            return "a name has a NUL in it"
        if len(segment.encode(errors="surrogatepass")) > LONGEST_NAME:
            return f'the name "{segment[:20]}…" has more than {LONGEST_NAME} bytes'
    return None


def pattern_of(relative: str) -> str:
    """Return DataSync's pattern of just this key: special characters get a backslash in front."""
    return "/" + _SPECIAL.sub(r"\\\g<0>", relative)


def prefix_pattern(prefix: str) -> str:
    """Return DataSync's pattern of all keys that begin so; a folder's pattern matches what is in it."""
    return pattern_of(prefix[:-1]) if prefix.endswith("/") else f"{pattern_of(prefix)}*"


def chunks(relatives: Iterable[str], limit: int = FILTER_BYTES) -> Iterator[list[str]]:
    """Divide keys or prefixes into as many as one filter takes at a time."""
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
    """Return what matches the paths (with a slash in front) that any of DataSync's patterns means; None without patterns.

    ``*`` stands for any characters, ``\\`` makes ``*``, ``|`` and ``\\`` themselves; a folder's pattern matches what is in it.
    """
    parts = [_as_expression(pattern) for pattern in patterns if pattern]
    return re.compile("|".join(parts), re.DOTALL) if parts else None


def _as_expression(pattern: str) -> str:
    parts = [""]
    at = 0
    while at < len(pattern):
        character = pattern[at]
        if character == "\\":  # before anything else than a special character it is ignored
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
        # What is between two stars is taken where it comes first and never looked for again: no match is lost, and the time is linear.
        expression += "".join(f"(?>.*?{part})" for part in between if part) + f".*{last}"
    return f"(?:{expression.removesuffix('/')})(?:/.*)?\\Z"


def split_filter(value: str) -> list[str]:
    """Return the patterns of a filter, which ``|`` divides where no backslash is before it."""
    return [part for part in re.findall(r"((?:\\.|[^\\|])*)(?:\||\Z|\\\Z)", value, re.DOTALL) if part]
