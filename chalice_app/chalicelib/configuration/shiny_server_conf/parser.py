"""Builds the tree of directives from tokens. Pure.

The grammar: ``file := item*``; ``item := ';' | WORD WORD* ( ';' | '{' item* '}' )``. The parser
goes on after an error, so that all errors of a file are found at once.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import Enum

from chalicelib.configuration.shiny_server_conf.findings import Finding, Position
from chalicelib.configuration.shiny_server_conf.lexer import Kind, Token, tokenize

DEEPEST = 50
"""The most levels of blocks; everything that walks a tree relies on it."""


_LONGEST_VARIABLE = 200
"""Characters of a word with ``${…}`` that are kept; a word of thousands of them stays cheap."""


class End(Enum):
    """How a directive ends."""

    SEMICOLON = ";"
    BLOCK = "{ }"
    OPEN_BLOCK = "a block that the file's end cuts off"
    BRACE = "a } where a ; is missing"
    FILE = "the file's end where a ; is missing"


@dataclass(frozen=True, slots=True)
class Node:
    """A directive as it stands in the file: its name, its arguments and its block."""

    name: Token
    arguments: tuple[Token, ...]
    end: End
    end_line: int
    """Line of the ``;`` or ``}`` that ends it."""
    children: tuple["Node", ...] = ()

    @property
    def has_block(self) -> bool:
        return self.end in (End.BLOCK, End.OPEN_BLOCK)

    @property
    def position(self) -> Position:
        return self.name.position


@dataclass(frozen=True, slots=True)
class Tree:
    """The directives of a file."""

    nodes: tuple[Node, ...]
    errors: tuple[Finding, ...]
    whole: bool
    """Whether the file was read to its end."""


@dataclass(slots=True)
class _Block:
    """A block that is still open; ``words`` is the directive in front of its ``{``."""

    words: Sequence[Token]
    nodes: list[Node] = field(default_factory=list)


def parse(text: str, file: str) -> Tree:
    """Read a file's text; ``file`` is its name in positions."""
    return _Parser(text, file).parse()


class _Parser:
    def __init__(self, text: str, file: str) -> None:
        lexed = tokenize(text, file)
        self.tokens = lexed.tokens
        self.errors = list(lexed.errors)
        self.whole = lexed.whole
        self.blocks = [_Block(())]
        self.words: list[Token] = []
        self.last_line = self.tokens[-1].position.line if self.tokens else 1

    def parse(self) -> Tree:
        index = 0
        while index < len(self.tokens):
            token = self.tokens[index]
            index += 1
            match token.kind:
                case Kind.WORD:
                    self.words.append(token)
                case Kind.END:
                    self.finish(End.SEMICOLON, token)
                case Kind.CLOSE:
                    self.finish(End.BRACE, token)
                    self.close(token)
                case Kind.OPEN:
                    used = self.unfilled_variable(index - 1)
                    if used:
                        index += used
                    elif len(self.blocks) > DEEPEST:
                        self.error(token, f"blocks are nested more than {DEEPEST} levels deep")
                        self.whole, self.words = False, []
                        break
                    else:
                        self.open(token)
        self.finish(End.FILE, None)
        while len(self.blocks) > 1:
            self.add_block(self.blocks.pop(), End.OPEN_BLOCK, self.last_line)
        return Tree(tuple(self.blocks[0].nodes), tuple(self.errors), self.whole)

    def error(self, token: Token, text: str) -> None:
        self.errors.append(Finding(token.position, text))

    def finish(self, end: End, token: Token | None) -> None:
        """End the directive whose words were read, if there are any."""
        if self.words:
            line = token.position.line if token is not None else self.last_line
            node = Node(self.words[0], tuple(self.words[1:]), end, line)
            self.blocks[-1].nodes.append(node)
            self.words = []

    def open(self, token: Token) -> None:
        if not self.words:
            self.error(
                token,
                "no directive stands before this {; if {{ … }} is a variable of a template,"
                " fill it in",
            )
        self.blocks.append(_Block(self.words))
        self.words = []

    def close(self, token: Token) -> None:
        if len(self.blocks) == 1:
            self.error(token, "this } closes no block; delete it, or look for a missing {")
            return
        self.add_block(self.blocks.pop(), End.BLOCK, token.position.line)

    def add_block(self, block: _Block, end: End, line: int) -> None:
        # The content of a block without a name has no meaning.
        if block.words:
            name, *arguments = block.words
            node = Node(name, tuple(arguments), end, line, tuple(block.nodes))
            self.blocks[-1].nodes.append(node)

    def unfilled_variable(self, index: int) -> int:
        """Read ``${NAME}``, whose ``{`` is at ``index``, as a part of a word and report it.

        Return the number of tokens after the ``{`` that belong to the word; 0: it is no variable.
        """
        opening, rest = self.tokens[index], self.tokens[index + 1 : index + 4]
        if not self.words or len(rest) < 2:
            return 0
        before, (name, closing, *after) = self.words[-1], rest
        if (
            before.quoted
            or not before.text.endswith("$")
            or [name.kind, closing.kind] != [Kind.WORD, Kind.CLOSE]
            or not before.stop == opening.start == name.start - 1
            or name.stop != closing.start
        ):
            return 0
        text, stop, used = f"{before.text}{{{name.text}}}", closing.stop, 2
        if after and after[0].kind is Kind.WORD and after[0].start == stop and not after[0].quoted:
            text, stop, used = text + after[0].text, after[0].stop, 3
        text = text[:_LONGEST_VARIABLE]
        self.words[-1] = replace(before, text=text, stop=stop)
        self.error(
            before,
            f"{text} looks like a variable that nobody filled in; shiny-server.conf has no"
            " variables",
        )
        return used
