"""Sites: the nearest location of one host leads, and a move keeps the app."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.apps import sites
from chalicelib.apps.errors import BadHost, BadLocation, BadRedirect, LastLocation, TooManyLocations
from chalicelib.apps.sites import (
    EVERY_HOST,
    MOST_LOCATIONS,
    AppTarget,
    Location,
    Places,
    RedirectTarget,
    Target,
    free_name,
    host_of,
    match,
)

paths = st.lists(st.sampled_from("abc"), max_size=4).map(lambda names: "/" + "/".join(names))
hosts = st.sampled_from([EVERY_HOST, "one.example", "two.example"])
places = st.builds(Location, hosts, paths)
targets: st.SearchStrategy[Target] = st.one_of(
    st.builds(AppTarget, paths, st.booleans()),
    st.builds(RedirectTarget, st.just("/x"), st.just(302), st.booleans()),
)
trees = st.dictionaries(places, targets, max_size=12)
of_app = st.lists(places, min_size=1, max_size=6, unique=True).filter(
    lambda each: each[0].site == EVERY_HOST
)


def owns(location: Location, path: str) -> bool:
    return location.path == "/" or path == location.path or path.startswith(location.path + "/")


def leads(target: Target, location: Location, path: str) -> bool:
    return not (isinstance(target, RedirectTarget) and target.exact and path != location.path)


@given(hosts, paths, trees)
def test_the_nearest_location_of_the_site_leads(
    site: str, path: str, tree: dict[Location, Target]
) -> None:
    there = [
        location
        for location, target in tree.items()
        if location.site == site and owns(location, path) and leads(target, location, path)
    ]
    found = match(site, path, tree)
    assert (found.location if found else None) == max(
        there, key=lambda location: len(location.path), default=None
    )
    assert found is None or found.target == tree[found.location]


@given(hosts, paths, trees)
def test_no_other_host_changes_what_a_host_shows(
    site: str, path: str, tree: dict[Location, Target]
) -> None:
    own = {location: target for location, target in tree.items() if location.site == site}
    assert match(site, path, tree) == match(site, path, own)


@given(hosts, paths, trees, st.data())
def test_a_removed_location_leads_nowhere(
    site: str, path: str, tree: dict[Location, Target], data: st.DataObject
) -> None:
    if not tree:
        return
    gone = data.draw(st.sampled_from(sorted(tree, key=str)))
    rest = {location: target for location, target in tree.items() if location != gone}
    found = match(site, path, rest)
    assert found is None or found.location != gone


@given(paths, trees)
def test_what_is_not_shown_counts_as_if_it_did_not_exist(
    path: str, tree: dict[Location, Target]
) -> None:
    shown = {
        location: target for location, target in tree.items() if not isinstance(target, AppTarget)
    }
    assert match(EVERY_HOST, path, tree, lambda target: False) == match(EVERY_HOST, path, shown)


@given(of_app, places)
def test_a_move_keeps_the_app_and_all_its_other_locations(
    here: list[Location], new: Location
) -> None:
    before = Places(tuple(here))
    old = here[-1]
    if new in here:
        return
    after = before.moved(old, new)
    assert set(after.here) == {*here, new} - {old}
    assert after.left == (old,)
    back = after.moved(new, old)
    assert set(back.here) == set(here)
    assert back.left == (new,)


@given(of_app, st.lists(st.tuples(st.sampled_from(["add", "remove"]), places), max_size=12))
def test_an_app_keeps_a_main_location_on_the_default_site(
    here: list[Location], changes: list[tuple[str, Location]]
) -> None:
    now = Places(tuple(here))
    for change, location in changes:
        try:
            now = now.added(location) if change == "add" else now.removed(location)
        except LastLocation:
            assert location == now.main
        assert now.main.site == EVERY_HOST
        assert len(set(now.here)) == len(now.here)
        assert not set(now.here) & set(now.left)


def test_the_locations_of_one_app_are_bounded() -> None:
    now = Places((Location(EVERY_HOST, "/app"),))
    for number in range(MOST_LOCATIONS - 1):
        now = now.added(Location(EVERY_HOST, f"/app{number}"))
    with pytest.raises(TooManyLocations, match="no more are allowed"):
        now.added(Location(EVERY_HOST, "/more"))
    with pytest.raises(TooManyLocations):
        now.moved(now.main, Location(EVERY_HOST, "/more"))


@given(places)
def test_a_location_is_read_as_it_was_written(location: Location) -> None:
    assert Location.parse(str(location)) == location


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("Apps.Example.org", "apps.example.org"),
        ("apps.example.org.:8443", "apps.example.org"),
        ("127.0.0.1:7000", "127.0.0.1"),
        ("*", ""),
        ("", ""),
        ("a/b", ""),
        ("[::1]:80", ""),
        ("x" * 300, ""),
        ("-a.example", ""),
    ],
)
def test_a_host_becomes_a_sites_name_or_nothing(text: str, host: str) -> None:
    assert host_of(text) == host


@pytest.mark.parametrize("host", ["https://a.example", "a.example:80", "a/b", "a_b", "é.example"])
def test_a_bad_host_is_refused(host: str) -> None:
    with pytest.raises(BadHost, match="is not allowed"):
        Location.of("/x", host)


def test_paths_follow_the_rules_of_publishing() -> None:
    assert Location.of("/a/", "A.example.") == Location("a.example", "/a")
    with pytest.raises(BadLocation, match="is reserved"):
        Location.of("/__sheen__", "a.example")


@pytest.mark.parametrize("url", ["https://example.org/new?x=1#y", "/new/", "/", "http://[::1]/"])
def test_a_redirect_leads_to_a_url_or_a_path(url: str) -> None:
    assert sites.redirect(url, 301) == RedirectTarget(url, 301)


@pytest.mark.parametrize(
    "url",
    ["new", "//evil.example", "/\\evil.example", "javascript:alert(1)", "/a\r\nx: y", "/a b", ""],
)
def test_a_redirect_leads_nowhere_else(url: str) -> None:
    with pytest.raises(BadRedirect, match="is not where a redirect may lead"):
        sites.redirect(url)


def test_a_redirect_has_the_status_of_one() -> None:
    with pytest.raises(BadRedirect, match="cannot have the status 200; choose one of 301"):
        sites.redirect("/x", 200)


@given(paths, st.sets(st.integers(1, 5)))
def test_a_name_is_free(path: str, numbers: set[int]) -> None:
    taken = {path if number == 1 else f"{path}~{number}" for number in numbers}
    name = free_name(path, taken)
    assert name not in taken
    assert name.startswith(path)
