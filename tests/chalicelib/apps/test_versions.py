"""Versions: the latest upload ends up active, going back holds, and what is being removed is never
switched to.
"""

import itertools
from concurrent.futures import ThreadPoolExecutor

import pytest

from chalicelib.apps import store, versions
from chalicelib.apps.errors import NoSuchApp, NoSuchVersion
from chalicelib.apps.model import App, Version
from chalicelib.configuration.errors import BadAppSetting

pytestmark = pytest.mark.usefixtures("dynamodb_calls")


def add(version: str, **settings: object) -> None:
    versions.add(
        store.get("/hello").app_id,
        version,
        bundle="b",
        kind="app.R",
        source="s",
        settings=settings,
        now=1.0,
    )


@pytest.fixture
def app() -> App:
    made = store.ensure("/hello", 1.0)
    for number in "123":
        add(f"version{number}")
    return made


@pytest.mark.parametrize("order", list(itertools.permutations(["1", "2", "3"])))
def test_the_latest_upload_ends_up_active_whatever_is_built_first(
    order: tuple[str, ...], app: App
) -> None:
    for upload in order:
        versions.activate("/hello", f"version{upload}", upload, 2.0)
    assert App.get("/hello").active_version == "version3"


def test_the_latest_upload_ends_up_active_when_all_are_at_once(app: App) -> None:
    with ThreadPoolExecutor(6) as pool:
        said = list(
            pool.map(
                lambda upload: versions.activate("/hello", f"version{upload}", upload, 2.0),
                "132132",
            )
        )
    assert said[1] and said[4]
    assert App.get("/hello").active_version == "version3"


def test_activating_again_changes_nothing(app: App) -> None:
    assert versions.activate("/hello", "version1", "1", 2.0)
    assert versions.activate("/hello", "version1", "1", 3.0)
    assert App.get("/hello").previous_version is None


def test_an_app_or_version_that_was_not_made_is_not_activated(app: App) -> None:
    with pytest.raises(NoSuchApp):
        versions.activate("/nowhere", "v1", "1", 2.0)
    with pytest.raises(
        NoSuchVersion,
        match="v1 is none of its versions; `sheen versions /hello` lists those of /hello",
    ):
        versions.activate("/hello", "v1", "1", 2.0)


def test_going_back_and_forth(app: App) -> None:
    for number in "123":
        versions.activate("/hello", f"version{number}", number, 2.0)
    assert versions.roll_back("/hello", None, 3.0).active_version == "version2"
    assert versions.roll_back("/hello", None, 3.0).active_version == "version3"
    assert versions.roll_back("/hello", "version1", 3.0).active_version == "version1"
    assert App.get("/hello").previous_version == "version3"
    add("version4")
    assert versions.activate("/hello", "version4", "4", 4.0)
    assert App.get("/hello").active_version == "version4"


def test_settings_of_the_bundle_go_with_the_version(app: App) -> None:
    add("version4", size="small")
    versions.activate("/hello", "version3", "3", 2.0)
    versions.activate("/hello", "version4", "4", 2.0)
    assert App.get("/hello").resolved().settings.size == "small"
    versions.roll_back("/hello", None, 3.0)
    assert App.get("/hello").resolved().settings.size == "large"


def test_going_back_to_nothing_is_told(app: App) -> None:
    versions.activate("/hello", "version1", "1", 2.0)
    with pytest.raises(NoSuchVersion, match="/hello has no version before version1"):
        versions.roll_back("/hello", None, 3.0)


def test_a_version_that_is_being_removed_is_not_gone_back_to(app: App) -> None:
    versions.activate("/hello", "version1", "1", 2.0)
    versions.activate("/hello", "version2", "2", 2.0)
    Version(app.app_id, "version1").update(actions=[Version.removing_at.set(3.0)])
    with pytest.raises(NoSuchVersion, match="version1 is being removed"):
        versions.roll_back("/hello", None, 4.0)
    assert App.get("/hello").active_version == "version2"


def test_a_version_whose_settings_no_longer_go_with_the_apps_own_is_not_gone_back_to(
    app: App,
) -> None:
    add("version4", start_count=4, max_instances=4)
    versions.activate("/hello", "version4", "4", 2.0)
    add("version5")
    versions.activate("/hello", "version5", "5", 2.0)
    App("/hello").update(actions=[App.settings.set({"max_instances": 2})])
    with pytest.raises(BadAppSetting, match="start_count is 4 and max_instances 2"):
        versions.roll_back("/hello", None, 3.0)
    assert App.get("/hello").active_version == "version5"
