"""What is done to make a folder what a prefix is, decided from two lists."""

from hypothesis import given
from hypothesis import strategies as st

from chalicelib.syncs.keys import matcher, unfit
from tasks.mirror.plan import SECOND, is_current, plan, time_of
from tasks.mirror.s3 import ListedObject
from tasks.mirror.tree import ExistingFile

NAMES = st.sampled_from(
    ["a", "b", "a/b", "a/c", "d/e/f", "g.tmp", "d/h.tmp", "folder/", "../x", "d//e"]
)
OBJECTS = st.dictionaries(
    NAMES, st.tuples(st.integers(0, 3), st.integers(1, 3), st.sampled_from(["e1", "e2"]))
)
FILES = st.dictionaries(
    NAMES.filter(lambda name: unfit(name) is None and not name.endswith("/")),
    st.tuples(st.integers(0, 3), st.integers(1, 3)),
)


@given(OBJECTS, FILES, st.booleans(), st.booleans(), st.none() | st.integers(0, 3))
def test_each_object_and_each_file_is_dealt_with_once(
    objects: dict[str, tuple[int, int, str]],
    files: dict[str, tuple[int, int]],
    filtered: bool,
    delete: bool,
    largest: int | None,
) -> None:
    listed = [ListedObject(f"p/{name}", *about) for name, about in sorted(objects.items())]
    there = {
        name: ExistingFile(size, modified * SECOND) for name, (size, modified) in files.items()
    }
    exclude = matcher(["*.tmp"]) if filtered else None
    found = plan(listed, "p/", there, exclude=exclude, delete=delete, largest=largest)
    meant = {name for name in objects if not (filtered and name.endswith(".tmp"))}
    dealt = (
        [path for path, _ in found.copy]
        + found.make
        + found.large
        + [path for path, _ in found.refused]
    )
    current = {
        name
        for name in meant
        if name in there and is_current(there[name], ListedObject(name, *objects[name]))
    }
    assert sorted([*dealt, *current]) == sorted(meant)
    assert found.skip == len(current)
    assert set(found.delete) == (
        {name for name in there if name not in objects and not (filtered and name.endswith(".tmp"))}
        if delete
        else set()
    )
    assert all(unfit(path) is None for path, _ in found.copy)
    assert largest is None or all(each.size <= largest for _, each in found.copy)


@given(st.integers(0, 2**33), st.text(min_size=1), st.text(min_size=1))
def test_a_copys_time_is_the_objects_second_and_tells_versions_of_it_apart(
    modified: int, etag: str, other: str
) -> None:
    copy = ExistingFile(5, time_of(modified, etag))
    assert copy.mtime_ns // SECOND == modified
    assert is_current(copy, ListedObject("k", 5, modified, etag))
    assert is_current(copy, ListedObject("k", 5, modified, other)) == (other == etag)
    assert not is_current(copy, ListedObject("k", 6, modified, etag))
    assert not is_current(copy, ListedObject("k", 5, modified + 1, etag))


def test_a_copy_by_others_has_the_second_only_and_counts_by_it() -> None:
    assert is_current(ExistingFile(5, 7 * SECOND), ListedObject("k", 5, 7, "e"))
