"""Keys of bundles and the order of uploads."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.publishing.errors import BadBundle
from chalicelib.publishing.keys import BundleKey, outcome_key, upload_order, version_name


@pytest.mark.parametrize(
    ("key", "location", "name"),
    [
        ("bundles/hello/app.zip", "/hello", "app.zip"),
        ("bundles/team/sales/v2.tar.gz", "/team/sales", "v2.tar.gz"),
        ("bundles/app.zip", "/", "app.zip"),
    ],
)
def test_a_key_says_where_it_publishes(key: str, location: str, name: str) -> None:
    parsed = BundleKey.parse(key)
    assert parsed == (location, name)
    assert parsed.key == key
    assert parsed.outcome_key == outcome_key(key) == f"outcomes/{key.removeprefix('bundles/')}.json"
    assert BundleKey.of(location, name) == parsed


@pytest.mark.parametrize(
    ("key", "why"),
    [
        ("bundles/hello/app.rar", "neither in .zip nor in .tar.gz"),
        ("bundles/hello/my app.zip", "letters, digits"),
        ("bundles/__sheen__/app.zip", "reserved"),
        ("bundles//app.zip", "empty folders"),
        ("bundles/a/../app.zip", "not allowed"),
        ("bundles/hello/", "not the key of a bundle"),
        ("other/app.zip", "not the key of a bundle"),
    ],
)
def test_a_bad_key_is_told_why(key: str, why: str) -> None:
    with pytest.raises(BadBundle, match=why):
        BundleKey.parse(key)


@given(st.text(max_size=60))
def test_any_key_is_read_or_refused(text: str) -> None:
    try:
        parsed = BundleKey.parse("bundles/" + text)
    except BadBundle:
        return
    assert BundleKey.parse(parsed.key) == parsed


def test_uploads_sort_by_time_then_by_sequencer() -> None:
    uploads = [
        upload_order("2026-11-20T13:31:44Z", "0055AED6DCD90281E5"),
        upload_order("2026-11-20T13:31:45Z", "0055AED6DCD90281E4"),
        upload_order("2026-11-20T13:31:45Z", "0055AED6DCD90281E401"),
        upload_order("2026-11-20T13:31:45Z", "0055AED6DCD90281E5"),
    ]
    assert uploads == sorted(uploads)


def test_a_version_is_named_the_same_each_time_its_event_comes() -> None:
    name = version_name("2026-11-20T13:31:44Z", "bundles/hello/a.zip", "00AA")
    assert name == version_name("2026-11-20T13:31:44Z", "bundles/hello/a.zip", "00AA")
    assert name.startswith("20261120T133144Z-")
    assert name != version_name("2026-11-20T13:31:44Z", "bundles/hello/a.zip", "00AB")
