"""Keys of any spelling: out of events, into paths and into DataSync's filters."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chalicelib.syncs import keys

KEYS = st.text(
    st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=60
).filter(lambda key: keys.unfit(key) is None)
ODD = [
    "a b",
    "a+b",
    "a%2Bb",
    "a|b",
    "a*b",
    "a\\b",
    "a\\|b*",
    "ä/ö/ü ß.csv",
    "100%/x",
    "a/b/c/d",
    "\u65e5\u672c/\u8a9e",
    "a\nb",
]


def test_an_event_gives_the_very_key() -> None:
    for key in ODD:
        event = {
            "detail-type": "Object Created",
            "detail": {"bucket": {"name": "b"}, "object": {"key": key, "size": 5}},
        }
        assert keys.written(event) == keys.WrittenObject("b", key, 5)


@given(st.lists(KEYS, min_size=1, max_size=6), KEYS)
@example(ODD, "a")
def test_a_filter_of_keys_matches_these_and_what_is_below_them_only(
    asked: list[str], other: str
) -> None:
    value = "|".join(keys.pattern_of(key) for key in asked)
    patterns = keys.split_filter(value)
    assert len(patterns) == len(asked)
    matches = keys.matcher(patterns)
    assert matches is not None
    assert all(matches.match(f"/{key}") for key in asked)
    below = any(other == key or other.startswith(f"{key.removesuffix('/')}/") for key in asked)
    assert bool(matches.match(f"/{other}")) == below


@pytest.mark.parametrize(
    ("prefix", "inside", "outside"),
    [
        ("sales/2026/", "sales/2026/a.csv", "sales/20260.csv"),
        ("sales/20", "sales/2026/a.csv", "sales/1999.csv"),
        ("a*/", "a*/x", "ab/x"),
        ("a|b/", "a|b/x", "a"),
    ],
)
def test_a_prefix_is_a_pattern(prefix: str, inside: str, outside: str) -> None:
    matches = keys.matcher([keys.prefix_pattern(prefix)])
    assert matches is not None
    assert matches.match(f"/{inside}")
    assert not matches.match(f"/{outside}")


@given(st.lists(KEYS, max_size=40), st.integers(70, 200))
def test_keys_are_divided_so_that_each_filter_is_short_enough(asked: list[str], limit: int) -> None:
    found = list(keys.chunks(asked, limit))
    assert [key for chunk in found for key in chunk] == asked
    for chunk in found:
        assert len(chunk) == 1 or len("|".join(map(keys.prefix_pattern, chunk)).encode()) <= limit


@pytest.mark.parametrize(
    "key", ["a//b", "/a", "../a", "a/..", "a/./b", "a\0b", "x" * 256, "ü" * 128]
)
def test_keys_that_no_file_can_have_are_told_why(key: str) -> None:
    assert keys.unfit(key)


@pytest.mark.parametrize("key", [*ODD, "x" * 255, "folder/"])
def test_all_other_keys_can_be_files(key: str) -> None:
    assert keys.unfit(key) is None


@given(st.text("ab/*", max_size=8), st.text("ab/", max_size=12))
def test_stars_match_what_a_plain_reading_of_them_matches(pattern: str, path: str) -> None:
    found = keys.matcher([pattern])
    plain = "".join(
        ".*" if character == "*" else re.escape(character) for character in pattern
    ).removesuffix("/")
    assert (found is not None and found.match(path) is not None) == (
        bool(pattern) and re.match(f"(?:{plain})(?:/.*)?\\Z", path) is not None
    )
