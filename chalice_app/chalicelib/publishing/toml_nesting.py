"""The nesting depth of a TOML text, found in one pass before ``tomllib`` reads it. Pure.

``tomllib`` recurses once for each bracket, and takes quadratic time for a key with many dots (30 s
for 64 KB). No setting needs either.
"""

DEEPEST = 16
"""The most brackets within brackets, and the most parts of one key."""
_LONG_QUOTES = ('"""', "'''")


def too_deep(text: str) -> int | None:
    """Return the line where values or keys nest deeper than :data:`DEEPEST`, or None.

    If the text is not TOML, this may give up early, where ``tomllib`` stops too.

    >>> too_deep('a = 1\\nb = ' + '[' * 20), too_deep('a = "[[[[[[[[[[[[[[[[[[[["')
    (2, None)
    """
    at = line = depth = dots = 0
    while at < len(text):
        character = text[at]
        if character in "\"'":
            end = _end_of_string(text, at)
            if end is None:
                return None
            line += text.count("\n", at, end)
            at = end
            continue
        if character == "#":
            at = text.find("\n", at)
            if at < 0:
                return None
            continue
        if character == "\n":
            line += 1
        if character == ".":
            dots += 1
        elif character in "=,[]{}\n":
            dots = 0
        if character in "[{":
            depth += 1
        elif character in "]}":
            depth = max(0, depth - 1)
        if depth > DEEPEST or dots >= DEEPEST:
            return line + 1
        at += 1
    return None


def _end_of_string(text: str, at: int) -> int | None:
    """Return the end of the string that begins at a quote, or None if it does not end."""
    quote = text[at : at + 3] if text[at : at + 3] in _LONG_QUOTES else text[at]
    place = at + len(quote)
    while True:
        end = text.find(quote, place)
        if end < 0:
            return None
        if quote[0] == "'" or not _is_escaped(text, place, end):
            end += len(quote)
            if len(quote) == 1:
                return end
            # Up to two more quotes belong to the string as its last characters.
            return end + len(text[end : end + 2]) - len(text[end : end + 2].lstrip(quote[0]))
        place = end + 1


def _is_escaped(text: str, first: int, at: int) -> bool:
    """Return whether a place is escaped: an odd number of backslashes precedes it.

    Backslashes before ``first`` do not count.
    """
    before = at
    while before > first and text[before - 1] == "\\":
        before -= 1
    return (at - before) % 2 == 1
