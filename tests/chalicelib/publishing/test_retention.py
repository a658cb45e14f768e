"""Which versions go: never one that is active, the one before, kept or in use, whatever happens at
the same moment.
"""

from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.apps import store, versions
from chalicelib.apps.errors import NoSuchVersion
from chalicelib.apps.model import App
from chalicelib.publishing import retention

names = st.lists(st.text("abc", min_size=1), unique=True, max_size=8).map(
    lambda found: sorted(found, reverse=True)
)


@given(names, st.data(), st.integers(2, 10))
def test_what_is_kept_needed_or_new_does_not_go(
    found: list[str], data: st.DataObject, kept: int
) -> None:
    needed = set(data.draw(st.lists(st.sampled_from(found), max_size=2))) if found else set()
    going = retention.not_kept(found, needed, kept)
    assert not needed & set(going)
    assert not set(found[:kept]) & set(going)
    assert set(found) - set(going) == needed | set(found[:kept])


@pytest.mark.usefixtures("dynamodb_calls")
@pytest.mark.parametrize("attempt", range(4))
def test_of_going_back_and_removing_at_once_one_wins(attempt: int) -> None:
    location = f"/race{attempt}"
    app = store.ensure(location, 1.0)
    for number in range(5):
        versions.add(
            app.app_id, f"v{number}", bundle="b", kind="app.R", source="s", settings={}, now=1.0
        )
        versions.activate(location, f"v{number}", str(number), 1.0)
    App(location).update(actions=[App.settings.set({"versions_kept": 2})])

    def go_back() -> bool:
        try:
            versions.roll_back(location, "v0", 2.0)
        except NoSuchVersion:
            return False
        return True

    with ThreadPoolExecutor(2) as pool:
        went = pool.submit(go_back)
        removing = pool.submit(retention.begin, {"location": location}, lambda: 2.0)
        gone = {removal["version"] for removal in removing.result()}
        assert went.result() != ("v0" in gone)
    now = App.get(location)
    left = {row.version for row in versions.of(now.app_id) if row.removing_at is None}
    assert {now.active_version, now.previous_version} <= left
