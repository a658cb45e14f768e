"""Cuts the text of a ``shiny-server.conf`` into tokens, in linear time. Pure."""

import re
from dataclasses import dataclass
from enum import Enum

from chalicelib.configuration.shiny_server_conf.findings import Finding, Position


class Kind(Enum):
    """What a token is."""

    WORD = "word"
    OPEN = "{"
    CLOSE = "}"
    END = ";"


@dataclass(frozen=True, slots=True)
class Token:
    """A word or one of ``{``, ``}`` and ``;``."""

    kind: Kind
    text: str
    """A word's value: without its quotes and escapes."""
    position: Position
    start: int
    """Offset of the first character in the text."""
    stop: int
    """Offset after the last character."""
    quoted: bool = False
    starts_line: bool = False
    """Whether no other token stands before it on its line."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """The tokens of a text."""

    tokens: tuple[Token, ...]
    errors: tuple[Finding, ...]
    whole: bool
    """Whether the text was read to its end. Nothing after an unterminated quote is read."""


BYTE_ORDER_MARK = "\ufeff"

# Possessive quantifiers (*+, ++) never give back what they matched, so no text takes more than
# linear time.
_TOKEN = re.compile(
    r"""
      (?P<blank>   [ \t\r\n]++ | \#[^\n]*+ )
    | (?P<special> [{};] )
    | (?P<word>    [^ \t\r\n{};\#'"\x00-\x08\x0b\x0c\x0e-\x1f]++ )
    | (?P<double>  "[^"\\]*+(?:\\.[^"\\]*+)*+" )
    | (?P<single>  '[^'\\]*+(?:\\.[^'\\]*+)*+' )
    | (?P<quote>   ["'] )
    | (?P<control> [\x00-\x1f] )
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_SPECIAL = {kind.value: kind for kind in (Kind.OPEN, Kind.CLOSE, Kind.END)}


def tokenize(text: str, file: str) -> Tokens:
    """Cut a text into tokens; ``file`` is its name in positions.

    Backslashes escape the next character in quotes and are literal elsewhere. A byte order mark is
    skipped (Shiny Server takes it for a part of the first word).
    """
    tokens: list[Token] = []
    errors: list[Finding] = []
    offset = 1 if text.startswith(BYTE_ORDER_MARK) else 0
    line, line_start, last_line = 1, offset, 0
    while offset < len(text):
        match = _TOKEN.match(text, offset)
        assert match is not None, "each character starts one of the alternatives"
        group, found = str(match.lastgroup), match.group()
        position = Position(file, line, offset - line_start + 1)
        if group == "quote":
            errors.append(Finding(position, f"the quote {found} that opens here is never closed"))
            return Tokens(tuple(tokens), tuple(errors), whole=False)
        if group == "control":
            errors.append(
                Finding(position, f"control character U+{ord(found):04X}; delete it or quote it")
            )
        elif group != "blank":
            quoted = group in ("double", "single")
            tokens.append(
                Token(
                    _SPECIAL.get(found, Kind.WORD) if group == "special" else Kind.WORD,
                    _ESCAPE.sub(r"\1", found[1:-1]) if quoted else found,
                    position,
                    offset,
                    match.end(),
                    quoted,
                    starts_line=line != last_line,
                )
            )
            last_line = line
        lines = found.count("\n")
        if lines:
            line += lines
            line_start = offset + found.rindex("\n") + 1
            if group != "blank":
                last_line = line
        offset = match.end()
    return Tokens(tuple(tokens), tuple(errors), whole=True)
