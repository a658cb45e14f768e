"""Cut a template into texts and tags, and strip the white space that tags take away."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple, NoReturn

from chalicelib.pages.handlebars.nodes import BadTemplate, Text

_TAG = re.compile(r"(\\{0,2})\{\{")
_CLOSE = re.compile(r"(~?)\}\}")
_CLOSE_DASHED = re.compile(r"--(~?)\}\}")
_CLOSE_UNESCAPED = re.compile(r"\}(~?)\}\}")


class TemplateToken(NamedTuple):
    """A text or a tag; `kind` is the tag's sign, "else", or "text"."""

    kind: str
    body: str
    line: int
    left: bool = False
    right: bool = False


def tokens(name: str, source: str) -> list[TemplateToken]:
    """Return the texts and tags of `source`, with a text, which may be empty, around each tag."""
    found: list[TemplateToken] = []
    text: list[str] = []
    at, line, counted = 0, 1, 0

    def flush() -> None:
        found.append(TemplateToken("text", "".join(text), line))
        text.clear()

    while True:
        tag = _TAG.search(source, at)
        if not tag:
            text.append(source[at:])
            break
        slashes = len(tag[1])
        begin = tag.end() - 2
        if slashes == 1:
            # The tag is text, up to the next tag.
            following = _TAG.search(source, tag.end())
            end = following.start() if following else len(source)
            text.append(source[at : tag.start()] + source[begin:end])
            at = end
            continue
        text.append(source[at : begin - (1 if slashes else 0)])
        flush()
        line += source.count("\n", counted, begin)
        counted = begin
        token, at = _tag(name, source, begin, line)
        found.append(token)
    flush()
    return found


def _tag(name: str, source: str, begin: int, line: int) -> tuple[TemplateToken, int]:
    """Return the tag that begins at `begin`, and where it ends."""

    def bad(why: str) -> NoReturn:
        shown = source[begin : begin + 40].split("\n")[0]
        raise BadTemplate(f"template {name}: line {line}: {shown} {why}")

    at = begin + 2
    if source.startswith("{{", at):
        bad("begins a raw block, which is not supported")
    left = source.startswith("~", at)
    at += left
    if source.startswith("{", at):
        closed = _CLOSE_UNESCAPED.search(source, at)
        if not closed:
            bad("is never closed; close it with }}}")
        if source.startswith("}}}}", closed.start()):
            bad("ends with }}}}; close it with }}}")
        body = source[at + 1 : closed.start()].strip()
        return TemplateToken("{", body, line, left, bool(closed[1])), closed.end()
    if source.startswith("!", at):
        dashes = source.startswith("!--", at)
        ended = (_CLOSE_DASHED if dashes else _CLOSE).search(source, at + (3 if dashes else 1))
        if not ended:
            bad("is a comment that is never closed")
        return TemplateToken("!", "", line, left, bool(ended[1])), ended.end()
    end = source.find("}}", at)
    if end < 0:
        bad("is never closed; close it with }}")
    body = source[at:end]
    right = body.endswith("~")
    if source.startswith("}}}", end) and not right and body.strip() not in ("else", "^"):
        bad("begins with {{ and ends with }}}; close it with }}")
    body = body[:-1] if right else body
    if "{{" in body:
        bad("has a tag within a tag; close the first one with }}")
    sign = body[:1] if body[:1] in ("#", "^", "/", "&", ">", "*") else ""
    words = " ".join(body[len(sign) :].split())
    if sign == ">" or (sign == "#" and words[:1] in (">", "*")) or sign == "*":
        bad("is a partial or a decorator, which is not supported")
    if "(" in words:
        bad("has a subexpression, which is not supported")
    if sign == "^" and not words:
        sign, words = "else", ""
    elif sign == "" and (words == "else" or words.startswith("else ")):
        sign, words = "else", words[5:]
    elif not words:
        bad("says nothing; write the name of a value")
    elif sign in ("", "&") and re.search(r"[\s]", words) and words[0] not in "\"'[":
        bad(f"uses the helper {words.split()[0]}; there are none but those of blocks")
    return TemplateToken(sign, words, line, left, right), end + 2


def stripped(tokens: Sequence[TemplateToken]) -> dict[int, Text]:
    """Return the texts by index, without what `~` and standalone tags take away."""
    texts = {at: Text(token.body) for at, token in enumerate(tokens) if token.kind == "text"}
    for at, token in enumerate(tokens):
        if token.kind not in ("#", "^", "else", "/", "!"):
            continue
        before, after = texts[at - 1], texts[at + 1]
        first, last = at == 1, at == len(tokens) - 2
        begins = re.search(r"\r?\n\s*\Z", before.text) or (first and not before.text.strip())
        ends = re.match(r"\s*?\r?\n", after.text) or (last and not after.text.strip())
        if begins and ends:
            trailing = re.search(r"[ \t]*\Z", before.text)
            leading = re.match(r"[ \t]*\r?\n?", after.text)
            before.right = len(trailing[0]) if trailing else 0
            after.left = len(leading[0]) if leading else 0
    for at, token in enumerate(tokens):
        if token.left:
            text = texts[at - 1].text
            texts[at - 1].right = len(text) - len(text.rstrip())
        if token.right:
            text = texts[at + 1].text
            texts[at + 1].left = len(text) - len(text.lstrip())
    for text_ in texts.values():
        if text_.left + text_.right > len(text_.text):
            text_.left, text_.right = len(text_.text), 0
    return texts
