"""Separates directives between which a ``;`` is missing. Pure, in linear time.

The missing ``;`` makes the next directive's words arguments of the one before. Only a directive
that would be wrong as it stands is separated. So a file that Shiny Server accepts keeps its
meaning.
"""

from bisect import bisect_left

from chalicelib.configuration.shiny_server_conf.directives.schema import Directive
from chalicelib.configuration.shiny_server_conf.directives.table import DIRECTIVES
from chalicelib.configuration.shiny_server_conf.lexer import Token
from chalicelib.configuration.shiny_server_conf.parser import End, Node


def separate(node: Node) -> list[Node]:
    """Return the directives that a node most likely is; usually just itself."""
    words = node.arguments
    names = [
        index for index, word in enumerate(words) if not word.quoted and word.text in DIRECTIVES
    ]
    at_line_start = [index for index in names if words[index].starts_line]
    parts: list[Node] = []
    name, start = node.name, 0
    while True:
        directive = DIRECTIVES.get(name.text)
        cut = None
        if directive is not None and not _fits(directive, words, start, node.has_block):
            cut = _first(at_line_start, start)
            if cut is None:
                cut = _first(names, start + directive.fewest)
        if cut is None:
            parts.append(Node(name, words[start:], node.end, node.end_line, node.children))
            return parts
        line = words[cut].position.line
        parts.append(Node(name, words[start:cut], End.SEMICOLON, line))
        name, start = words[cut], cut + 1


def _first(indices: list[int], start: int) -> int | None:
    found = bisect_left(indices, start)
    return indices[found] if found < len(indices) else None


def _fits(directive: Directive, words: tuple[Token, ...], start: int, has_block: bool) -> bool:
    """Return whether a directive may have the words from ``start`` on, and a block."""
    if has_block and directive.block is None:
        return False
    if directive.most is not None and len(words) - start > directive.most:
        return False
    last = len(directive.parameters) - 1
    for index in range(start, len(words)):
        try:
            directive.parameters[min(index - start, last)].type.read(words[index].text)
        except ValueError:
            return False
    return True
