"""Changing settings: all of it in one write, or nothing, and a refusal says which rule."""

import threading

import pytest

from chalicelib.apps import store
from chalicelib.apps.configure import changed, configure
from chalicelib.apps.errors import BadAppSetting, BadChange, NoSuchApp
from chalicelib.apps.model import App

pytestmark = pytest.mark.usefixtures("dynamodb_calls")


@pytest.mark.parametrize(
    ("before", "changes", "after"),
    [
        ({}, ["size=small"], {"size": "small"}),
        ({"size": "small"}, ["size="], {}),
        ({}, ["environment=TZ=UTC LEVEL=2"], {"environment": "TZ=UTC LEVEL=2"}),
        ({"environment": "TZ=UTC"}, ["environment.LEVEL=a=b c"], {"environment": {"TZ": "UTC", "LEVEL": "a=b c"}}),
        ({"environment": {"TZ": "UTC", "LEVEL": "2"}}, ["environment.TZ="], {"environment": {"LEVEL": "2"}}),
        ({"environment": {"TZ": "UTC"}}, ["environment.TZ="], {}),
        ({}, ["secrets.DB_PASSWORD=sales/db", "data.sales=read"], {"secrets": {"DB_PASSWORD": "sales/db"}, "data": {"sales": "read"}}),
    ],
)
def test_changes_are_applied(before: dict[str, object], changes: list[str], after: dict[str, object]) -> None:
    assert changed(before, changes) == after


@pytest.mark.parametrize(
    ("change", "error", "why"),
    [
        ("size", BadChange, '"size" is not NAME=VALUE'),
        ("size=huge", BadAppSetting, "setting size is 'huge'; it is one of small, medium"),
        ("sise=small", BadAppSetting, 'there is no setting "sise"'),
        ("sise=", BadAppSetting, 'there is no setting "sise"'),
        ("size.x=1", BadAppSetting, 'there is no setting "size.x"'),
        ("environment.LD_PRELOAD=x", BadAppSetting, 'setting environment: "LD_PRELOAD" cannot be in it'),
        ("data.sales=both", BadAppSetting, 'setting data: "sales" cannot be in it; it is names of syncs'),
        ("start_count=3", BadAppSetting, "start_count is 3 and max_instances 1"),
    ],
)
def test_a_bad_change_changes_nothing(change: str, error: type[Exception], why: str) -> None:
    store.ensure("/hello", 1.0)
    with pytest.raises(error, match=why):
        configure("/hello", ["app_idle_timeout=7", change], 2.0)
    assert App.get("/hello").settings == {}


def test_the_bundles_settings_count_too_when_a_change_is_checked() -> None:
    app = store.ensure("/hello", 1.0)
    app.update(actions=[App.bundle_settings.set({"max_instances": 3})])
    configure("/hello", ["start_count=3"], 2.0)
    assert App.get("/hello").effective_settings().start_count == 3


def test_two_who_change_at_once_both_get_what_they_wanted() -> None:
    store.ensure("/hello", 1.0)
    changes = [f"{name}=7" for name in ("app_idle_timeout", "reconnect_grace", "max_instances", "sockjs_heartbeat_delay")]
    threads = [threading.Thread(target=configure, args=("/hello", [change], 2.0)) for change in changes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(App.get("/hello").settings) == len(changes)


def test_no_app_is_told() -> None:
    with pytest.raises(NoSuchApp, match="no app at /nowhere"):
        configure("/nowhere", [], 1.0)
