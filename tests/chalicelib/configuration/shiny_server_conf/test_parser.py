"""How tokens become a tree of directives."""

from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.configuration.shiny_server_conf.lexer import tokenize
from chalicelib.configuration.shiny_server_conf.parser import DEEPEST, End, Node, parse
from tests.support.effort import amount


@dataclass(frozen=True)
class Plain:
    """A directive without positions: its words, and its block if it has one."""

    words: tuple[str, ...]
    block: "tuple[Plain, ...] | None"


def plain(node: Node) -> Plain:
    words = (node.name.text, *(token.text for token in node.arguments))
    return Plain(words, tuple(map(plain, node.children)) if node.has_block else None)


def write(word: str, style: int) -> str:
    """Write a word bare where that is possible, or in one of both kinds of quotes."""
    special = any(char in " \t\r\n{};#'\"" or char < " " for char in word)
    if word and not special and style == 0:
        return word
    quote = "\"'"[style % 2]
    return quote + word.replace("\\", "\\\\").replace(quote, "\\" + quote) + quote


WORDS = st.text(
    st.one_of(
        st.sampled_from(list("ab:/$\\{};#'\" \t\n")),
        st.characters(codec="utf-8", exclude_characters="\ufeff"),
    ),
    max_size=6,
).filter(lambda word: not word.endswith("$"))
TREES = st.recursive(
    st.builds(Plain, st.lists(WORDS, min_size=1, max_size=4).map(tuple), st.none()),
    lambda inner: st.builds(
        Plain,
        st.lists(WORDS, min_size=1, max_size=4).map(tuple),
        st.lists(inner, max_size=4).map(tuple),
    ),
    max_leaves=20,
)
BLANKS = st.sampled_from([" ", "\n", "\t", "\r\n", " # a ; } comment\n", "  "])


@st.composite
def files(draw: st.DrawFn) -> tuple[list[Plain], str]:
    """Return directives, and a file that has them."""
    nodes = draw(st.lists(TREES, max_size=5))

    def written(node: Plain) -> str:
        text = "".join(write(word, draw(st.integers(0, 2))) + draw(BLANKS) for word in node.words)
        if node.block is None:
            return text + ";" + draw(BLANKS)
        inside = "".join(map(written, node.block))
        return text + "{" + draw(BLANKS) + inside + "}" + draw(BLANKS)

    return nodes, draw(BLANKS) + "".join(map(written, nodes))


@settings(max_examples=amount(1000), deadline=None)
@given(files())
def test_what_is_written_is_read(file: tuple[list[Plain], str]) -> None:
    nodes, text = file
    tree = parse(text, "x.conf")
    assert (tree.errors, tree.whole) == ((), True)
    assert [plain(node) for node in tree.nodes] == nodes


@settings(max_examples=amount(1000), deadline=None)
@given(files())
def test_a_position_is_where_the_word_stands(file: tuple[list[Plain], str]) -> None:
    _, text = file
    lines = text.split("\n")
    for node in every(parse(text, "x.conf").nodes):
        for token in (node.name, *node.arguments):
            written = text[token.start : token.stop]
            (again,) = tokenize(written, "x.conf").tokens
            assert again.text == token.text
            line, column = token.position.line, token.position.column
            assert lines[line - 1][column - 1 :].startswith(written.split("\n")[0])
            assert sum(map(len, lines[: line - 1])) + line - 1 + column - 1 == token.start


def every(nodes: tuple[Node, ...]) -> list[Node]:
    return [found for node in nodes for found in (node, *every(node.children))]


@settings(max_examples=amount(1000), deadline=None)
@given(st.text(st.sampled_from(list("ab${}; \n\"'\\#\x00\ufeff")), max_size=60))
def test_any_text_is_read_or_refused_with_places_in_it(text: str) -> None:
    lines = text.split("\n")
    for error in parse(text, "x.conf").errors:
        assert 1 <= error.position.line <= len(lines)
        assert 1 <= error.position.column <= len(lines[error.position.line - 1])


def errors(text: str) -> list[str]:
    return [str(error) for error in parse(text, "x.conf").errors]


def test_a_stray_semicolon_is_nothing() -> None:
    assert errors("; a b;; c {;} ;") == []


def test_braces_that_do_not_match_are_reported_where_they_stand() -> None:
    assert errors("a b;\n}\n{ c; }") == [
        "x.conf:2:1: this } closes no block; delete it, or look for a missing {",
        "x.conf:3:1: no directive stands before this {; if {{ … }} is a variable of a template,"
        " fill it in",
    ]


def test_the_ending_of_each_directive_is_known() -> None:
    (server,) = parse("server { listen 80; location / { app_dir /x }", "").nodes
    assert server.end is End.OPEN_BLOCK
    listen, location = server.children
    assert (listen.end, location.end) == (End.SEMICOLON, End.BLOCK)
    assert [child.end for child in location.children] == [End.BRACE]
    assert [node.end for node in parse("a b", "").nodes] == [End.FILE]


def test_an_unfilled_variable_is_one_word_again() -> None:
    tree = parse("location /a/${APP}/b { site_dir ${DIR}; }", "")
    (location,) = tree.nodes
    assert [token.text for token in location.arguments] == ["/a/${APP}/b"]
    assert [token.text for token in location.children[0].arguments] == ["${DIR}"]
    assert len(tree.errors) == 2


def test_blocks_are_nested_to_a_depth_that_recursion_can_walk() -> None:
    assert errors("a {" * DEEPEST + "}" * DEEPEST) == []
    (error,) = errors("a {" * 100_000)
    assert "more than 50 levels" in error
