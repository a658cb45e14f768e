"""Read a template into its nodes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NoReturn

from chalicelib.pages.handlebars.nodes import (
    BadTemplate,
    Block,
    Expression,
    Literal,
    Node,
    Path,
    Show,
)
from chalicelib.pages.handlebars.tags import TemplateToken, stripped, tokens
from chalicelib.pages.handlebars.texts import as_text

DEEPEST = 50
"""Blocks in blocks."""

_NAME = re.compile(r"[^\s!\"#%&'()*+,./;<=>@\[\\\]^`{|}~]+")
_SEGMENT = re.compile(rf"({_NAME.pattern})|\[([^\]]*)\]")
_PARAMETERS = re.compile(rf"\s+as\s+\|\s*({_NAME.pattern})(?:\s+({_NAME.pattern}))?\s*\|\s*\Z")
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?\Z")
_HELPERS = ("if", "unless", "each", "with")


@dataclass
class _Open:
    """A block that is not closed yet. `rest` is where its next else leads, None after the last."""

    word: str
    tag: TemplateToken
    outer: list[Node]
    rest: list[Node] | None
    depth: int


def read(name: str, source: str) -> list[Node]:
    """Return the nodes of `source`; raise :class:`BadTemplate` with the line of what is wrong."""
    return _Reader(name, source).nodes()


class _Reader:
    def __init__(self, name: str, source: str) -> None:
        self._name = name
        self._source = source

    def nodes(self) -> list[Node]:
        found = tokens(self._name, self._source)
        texts = stripped(found)
        root: list[Node] = []
        current = root
        opened: list[_Open] = []
        for at, token in enumerate(found):
            kind, body = token.kind, token.body
            if kind == "text":
                current.append(texts[at])
            elif kind in ("{", "&", ""):
                shown = self._value(body, token)
                if isinstance(shown, Literal):
                    shown = Path(0, False, (as_text(shown.value),), body)
                current.append(Show(shown, kind == ""))
            elif kind in ("#", "^"):
                block, word = self._block(body, token)
                current.append(block)
                first, second = block.inner, block.otherwise
                if kind == "^":
                    first, second = second, first
                depth = opened[-1].depth + 1 if opened else 1
                opened.append(_Open(word, token, current, second, self._deep(depth, token)))
                current = first
            elif kind == "else":
                if not opened:
                    self._bad(token, "stands in no block")
                block_ = opened[-1]
                if block_.rest is None:
                    self._bad(token, "comes after the last else of its block")
                current, block_.rest = block_.rest, None
                if body:
                    inner, _ = self._block(body, token)
                    current.append(inner)
                    current, block_.rest = inner.inner, inner.otherwise
                    block_.depth = self._deep(block_.depth + 1, token)
            elif kind == "/":
                if not opened or opened[-1].word != body:
                    self._bad(token, "closes a block that is not open there")
                current = opened.pop().outer
        if opened:
            word = opened[-1].word
            self._bad(opened[-1].tag, f"is never closed; close it with {{{{/{word}}}}}")
        return root

    def _deep(self, depth: int, token: TemplateToken) -> int:
        if depth > DEEPEST:
            self._bad(token, f"is nested more than {DEEPEST} deep")
        return depth

    def _block(self, body: str, token: TemplateToken) -> tuple[Block, str]:
        parameters: tuple[str, ...] = ()
        if found := _PARAMETERS.search(body):
            parameters = tuple(name for name in found.groups() if name)
            body = body[: found.start()]
        word, _, rest = body.partition(" ")
        rest = rest.strip()
        if word in _HELPERS:
            if not rest:
                self._bad(token, f"says nothing to decide by; write {{{{#{word} name}}}}")
            return Block(word, self._value(rest, token), parameters), word
        if rest:
            self._bad(token, f"uses the helper {word}; there are {', '.join(_HELPERS)}")
        return Block("section", self._value(word, token), parameters), word

    def _value(self, text: str, token: TemplateToken) -> Expression:
        text = text.strip()
        if len(text) >= 2 and text[0] in "\"'" and text[-1] == text[0]:
            quote = text[0]
            if quote not in text[1:-1].replace("\\" + quote, ""):
                return Literal(text[1:-1].replace("\\" + quote, quote))
        if _NUMBER.match(text):
            return Literal(float(text) if "." in text else int(text))
        if text in ("true", "false"):
            return Literal(text == "true")
        if text in ("null", "undefined"):
            return Literal(None)
        return self._path(text, token)

    def _path(self, text: str, token: TemplateToken) -> Path:
        rest, up, data = text, 0, False
        if rest.startswith("@"):
            data, rest = True, rest[1:]
        while rest == ".." or rest.startswith("../"):
            up, rest = up + 1, rest[3:]
        if rest in (".", "this"):
            rest = ""
        elif rest.startswith(("./", "this/", "this.")):
            rest = rest[rest.index("/" if rest.startswith("./") else rest[4]) + 1 :]
        names: list[str] = []
        while rest:
            segment = _SEGMENT.match(rest)
            if not segment:
                self._bad(token, f"has {text!r}, which is not the name of a value")
            if segment[0].isdecimal():
                self._bad(token, f"has {text!r}; write [{segment[0]}] for an item by its number")
            names.append(segment[1] if segment[1] is not None else segment[2])
            rest = rest[segment.end() :]
            if rest and (rest[0] not in "./" or len(rest) == 1):
                self._bad(token, f"has {text!r}, which is not the name of a value")
            rest = rest[1:]
        if data and not names:
            self._bad(token, "has an @ without a name")
        return Path(up, data, tuple(names), text)

    def _bad(self, token: TemplateToken, why: str) -> NoReturn:
        shown = token.body if token.kind != "else" else f"else {token.body}".strip()
        sign = token.kind if token.kind in ("#", "^", "/", "&") else ""
        raise BadTemplate(
            f"template {self._name}: line {token.line}: {{{{{sign}{shown[:60]}}}}} {why}"
        )
