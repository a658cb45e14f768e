"""An app gets no other app's secrets, role or synced folder, whoever publishes there."""

import pytest

from chalicelib.apps import grants, store, versions
from chalicelib.apps.configure import configure
from chalicelib.apps.model import App
from chalicelib.configuration.app_settings import AppSettings
from chalicelib.configuration.errors import BadAppSetting
from chalicelib.syncs import store as syncs
from chalicelib.syncs.errors import BadSync

VERSION = "20261120T133144Z-3f9a"


@pytest.mark.parametrize(
    ("name", "location", "allowed"),
    [
        ("sales/db", "/sales", True),
        ("team/sales/db", "/team/sales", True),
        ("shared/db", "/anything/at/all", True),
        ("shared/db", "/", True),
        ("team/shared/db", "/team/sales", True),
        ("team/shared/db", "/team", True),
        ("db", "/", True),
        ("other/db", "/sales", False),
        ("sales/db", "/", False),
        ("sales/db", "/sales/2026", False),
        ("sales/2026/db", "/sales", False),
        ("team/shared/db", "/teams", False),
        ("team/shared/db", "/", False),
        ("not-shared/db", "/sales", False),
        ("shared/sales/db", "/sales", False),
        ("Sales/db", "/sales", False),
        ("sales//db", "/sales", False),
        ("/sales/db", "/sales", False),
        ("sales/../other/db", "/other", False),
        ("sales/", "/sales", True),
        ("db", "/db", False),
    ],
)
def test_the_part_of_a_name_before_its_last_slash_is_the_app_that_it_is_for(
    name: str, location: str, allowed: bool
) -> None:
    assert grants.is_for(name, location) is allowed
    for settings in (AppSettings(secrets={"DB": name}), AppSettings(role=name)):
        if allowed:
            grants.check_names(location, settings)
        else:
            with pytest.raises(BadAppSetting):
                grants.check_names(location, settings)


@pytest.mark.usefixtures("dynamodb_calls")
@pytest.mark.parametrize("change", [{"secrets.DB": "other/db"}, {"role": "other/reader"}])
def test_configure_refuses_what_is_for_another_app_and_names_it_and_the_way_out(
    change: dict[str, str],
) -> None:
    store.ensure("/sales", 1.0)
    name = next(iter(change.values()))
    with pytest.raises(
        BadAppSetting,
        match=rf'"{name}".* is not for the app at /sales.*sales/NAME and shared/NAME.*sheen '
        r"configure",
    ):
        configure("/sales", change, 2.0)
    assert App.get("/sales").settings == {}


@pytest.mark.usefixtures("dynamodb_calls")
def test_a_bundle_that_asks_for_another_apps_secret_does_not_become_active() -> None:
    app = store.ensure("/sales", 1.0)
    wanted = {"secrets": {"DB": "other/db"}}
    versions.add(
        app.app_id, VERSION, bundle="b", kind="app.R", source="s", settings=wanted, now=1.0
    )
    with pytest.raises(
        BadAppSetting, match=r'secret "other/db" \(for DB\) is not for the app at /sales'
    ):
        versions.activate("/sales", VERSION, "1", 2.0)
    assert App.get("/sales").active_version is None


@pytest.mark.usefixtures("dynamodb_calls")
def test_an_app_that_writes_and_a_sync_that_publishes_exclude_each_other_both_ways_round() -> None:
    bucket = "sheen-test"
    store.ensure("/writer", 1.0)
    syncs.define("site", {"publish": "/site"}, bucket, 1.0)
    both = r"/writer has data site=write, and sync site publishes the apps in its folder at /site"
    with pytest.raises(BadAppSetting, match=both):
        configure("/writer", {"data.site": "write"}, 2.0)
    configure("/writer", {"data.site": "read"}, 3.0)
    app = store.get("/writer")
    versions.add(
        app.app_id,
        VERSION,
        bundle="b",
        kind="app.R",
        source="s",
        settings={"data": {"site": "write"}},
        now=3.0,
    )
    configure("/writer", {"data.site": None}, 4.0)
    with pytest.raises(BadAppSetting, match=both):
        versions.activate("/writer", VERSION, "1", 5.0)

    syncs.define("site", {"publish": None}, bucket, 6.0)
    configure("/writer", {"data.site": "write"}, 7.0)
    with pytest.raises(BadSync, match=both):
        syncs.define("site", {"publish": "/site"}, bucket, 8.0)
    assert not syncs.find("site").settings.get("publish")
