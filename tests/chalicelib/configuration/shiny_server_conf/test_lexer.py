"""How a file's text is cut into tokens."""

import pytest

from chalicelib.configuration.shiny_server_conf.lexer import Kind, tokenize


def words(text: str) -> list[str]:
    found = tokenize(text, "x.conf")
    assert (found.errors, found.whole) == ((), True)
    return [token.text for token in found.tokens]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("server{listen 80;}", ["server", "{", "listen", "80", ";", "}"]),
        ("a\r\n\tb ;", ["a", "b", ";"]),
        ("a # b; } \n c", ["a", "c"]),
        ("/s#x\n;", ["/s", ";"]),
        ("'a # b' \"c;{}\"", ["a # b", "c;{}"]),
        (r"/a\ b", ["/a\\", "b"]),
        (r'"a\"b\\c\n" ' + r"'\''", ['a"b\\cn', "'"]),
        ('"it\'s"', ["it's"]),
        ('""', [""]),
        ('foo"bar"baz', ["foo", "bar", "baz"]),
        ('"two\nlines"', ["two\nlines"]),
        ("\ufeffrun_as shiny;", ["run_as", "shiny", ";"]),
        ("a:*./-=,@%$~\u00a0\u201cü b", ["a:*./-=,@%$~\u00a0\u201cü", "b"]),
        ('"\x01"', ["\x01"]),
        ("# \x01 no newline at the end", []),
    ],
)
def test_words_are_cut_as_shiny_server_cuts_them(text: str, expected: list[str]) -> None:
    assert words(text) == expected


def test_a_position_counts_lines_and_columns_from_one() -> None:
    found = tokenize('\ufeffa\n  "b\nc" d\r\n;', "x.conf").tokens
    assert [str(token.position) for token in found] == [
        "x.conf:1:1",
        "x.conf:2:3",
        "x.conf:3:4",
        "x.conf:4:1",
    ]
    assert [token.starts_line for token in found] == [True, True, False, True]


def test_a_quoted_brace_is_a_word() -> None:
    assert [token.kind for token in tokenize("{ '{'", "").tokens] == [Kind.OPEN, Kind.WORD]


def test_an_unterminated_quote_is_reported_where_it_opens() -> None:
    found = tokenize('a b;\nc "d;\ne;\n', "x.conf")
    assert [str(error.position) for error in found.errors] == ["x.conf:2:3"]
    assert not found.whole
    assert [token.text for token in found.tokens] == ["a", "b", ";", "c"]


def test_each_control_character_is_reported() -> None:
    found = tokenize("a\x00b\n\x1b;", "x.conf")
    assert [str(error.position) for error in found.errors] == ["x.conf:1:2", "x.conf:2:1"]
    assert "U+001B" in found.errors[1].text
    assert [token.text for token in found.tokens] == ["a", "b", ";"]
