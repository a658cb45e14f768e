"""Locations: the longest prefix wins, whatever the path."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.apps.errors import BadLocation
from chalicelib.apps.locations import DEEPEST, LONGEST, AppMatch, check, climbs, prefixes, resolve

segments = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._~-]{0,6}", fullmatch=True)
locations = st.lists(segments, max_size=4).map(lambda names: "/" + "/".join(names))
paths = st.lists(
    st.one_of(segments, st.just(""), st.just("%20x"), st.just("__sockjs__")), max_size=7
).map(lambda names: "/" + "/".join(names))


def owns(location: str, path: str) -> bool:
    return location == "/" or path == location or path.startswith(location + "/")


@given(paths, st.sets(locations, max_size=6))
def test_the_longest_location_that_owns_a_path_wins(path: str, known: set[str]) -> None:
    owners = [location for location in known if owns(location, path)]
    found = resolve(path, known)
    assert (found.location if found else None) == max(owners, key=len, default=None)


@given(paths, st.sets(locations, min_size=1, max_size=6))
def test_location_and_rest_make_the_path_again(path: str, known: set[str]) -> None:
    found = resolve(path, known)
    if found is not None:
        assert found.location.rstrip("/") + found.rest == path


@given(st.text(max_size=300))
def test_any_text_has_few_prefixes_and_every_one_is_a_location(path: str) -> None:
    found = prefixes(path)
    assert found[-1] == "/"
    assert len(found) <= DEEPEST + 1
    assert all(check(location) == location for location in found)


@given(st.text(max_size=300))
def test_what_is_checked_is_found_again(text: str) -> None:
    try:
        location = check(text)
    except BadLocation:
        return
    assert len(location) <= LONGEST
    assert resolve(location, {location}) == AppMatch(location, "/" if location == "/" else "")


@pytest.mark.parametrize(
    ("location", "rule"),
    [
        ("hello", "does not begin with a slash"),
        ("/a b", "is not allowed"),
        ("/../etc", "is not allowed"),
        ("/.git", "is not allowed"),
        ("/a//b", 'has two slashes in a row; write "/a/b"'),
        ("//try", 'has two slashes in a row; write "/try"'),
        ("/try//", 'has two slashes in a row; write "/try/"'),
        ("", 'does not begin with a slash; write "/"'),
        ("/__sheen__", "is reserved"),
        ("/a/__sockjs__", "is reserved"),
        ("/" + "a" * LONGEST, "characters"),
        ("/a" * 9, "segments"),
        ("/grün", "is not allowed"),
    ],
)
def test_a_bad_location_is_told_which_rule_it_breaks(location: str, rule: str) -> None:
    with pytest.raises(BadLocation, match=rule):
        check(location)


def test_an_encoded_path_finds_its_app() -> None:
    assert resolve("/%68ello/x%20y", {"/hello"}) == AppMatch("/hello", "/x%20y")


def test_reserved_paths_belong_to_the_app_above() -> None:
    assert resolve("/hello/__sockjs__/n=1", {"/hello"}) == AppMatch("/hello", "/__sockjs__/n=1")


@pytest.mark.parametrize("path", ["/a/../b", "/a/%2e%2e/b", "/a/..", "/a%2F..%2Fb", "/./a"])
def test_paths_that_climb_are_seen(path: str) -> None:
    assert climbs(path)
    assert not climbs("/a..b/...")
