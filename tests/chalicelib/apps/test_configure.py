"""Changing settings: all of it in one write, or nothing, and a refusal says which rule."""

import json
import threading

import pytest

from chalicelib.apps import store
from chalicelib.apps.configure import changed, configure, on_demand
from chalicelib.apps.errors import BadChange, BadLocation, NoSuchApp
from chalicelib.apps.model import App
from chalicelib.configuration.deployment import Settings
from chalicelib.configuration.errors import BadAppSetting
from tests.chalicelib.aws_in_process import ENVIRONMENT

pytestmark = pytest.mark.usefixtures("dynamodb_calls")


@pytest.mark.parametrize(
    ("before", "changes", "after"),
    [
        ({}, {"size": "small"}, {"size": "small"}),
        ({"size": "small"}, {"size": ""}, {}),
        ({"size": "small", "start_count": 1}, {"size": None}, {"start_count": 1}),
        ({}, {"preload": False, "app_idle_timeout": 0}, {"preload": False, "app_idle_timeout": 0}),
        ({}, {"environment": "TZ=UTC LEVEL=2"}, {"environment": "TZ=UTC LEVEL=2"}),
        ({}, {"environment": {"TZ": "UTC"}}, {"environment": {"TZ": "UTC"}}),
        (
            {"environment": "TZ=UTC"},
            {"environment.LEVEL": "a=b c"},
            {"environment": {"TZ": "UTC", "LEVEL": "a=b c"}},
        ),
        (
            {"environment": {"TZ": "UTC", "LEVEL": "2"}},
            {"environment.TZ": ""},
            {"environment": {"LEVEL": "2"}},
        ),
        ({"environment": {"TZ": "UTC"}}, {"environment.TZ": None}, {}),
        (
            {},
            {"secrets.DB_PASSWORD": "sales/db", "data.sales": "read"},
            {"secrets": {"DB_PASSWORD": "sales/db"}, "data": {"sales": "read"}},
        ),
    ],
)
def test_changes_are_applied(
    before: dict[str, object], changes: dict[str, object], after: dict[str, object]
) -> None:
    assert changed(before, changes) == after


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("size", "huge", "setting size is 'huge'; it is one of small, medium"),
        ("size", 3, "setting size is 3; it is one of small, medium"),
        (
            "app_idle_timeout",
            True,
            "setting app_idle_timeout is True; it is a number of seconds from 0",
        ),
        (
            "app_idle_timeout",
            float("nan"),
            "setting app_idle_timeout is nan; it is a number of seconds from 0",
        ),
        (
            "simple_scheduler",
            [5],
            r"setting simple_scheduler is \[5\]; it is a whole number from 1 to 1000",
        ),
        ("sise", "small", 'there is no setting "sise"'),
        ("sise", None, 'there is no setting "sise"'),
        ("size.x", "1", 'there is no setting "size.x"'),
        ("environment.LD_PRELOAD", "x", 'setting environment: "LD_PRELOAD" cannot be in it'),
        ("environment.LEVEL", 2, 'setting environment: "LEVEL" cannot be in it'),
        ("data.sales", "both", 'setting data: "sales" cannot be in it; it is names of syncs'),
        ("start_count", 3, "start_count is 3 and max_instances 1"),
    ],
)
def test_a_bad_change_changes_nothing(name: str, value: object, why: str) -> None:
    store.ensure("/hello", 1.0)
    with pytest.raises(BadAppSetting, match=why):
        configure("/hello", {"app_idle_timeout": 7, name: value}, 2.0)
    assert App.get("/hello").settings == {}


def test_who_may_invoke_the_function_sees_all_that_holds_and_where_it_comes_from() -> None:
    app = store.ensure("/team/sales", 1.0)
    app.update(actions=[App.bundle_settings.set({"size": "small", "environment": {"TZ": "UTC"}})])
    changes = {"max_instances": 3, "disable_protocols": ["websocket"], "environment.LEVEL": "2"}
    answer = on_demand({"location": "/team/sales/", "settings": changes}, lambda: 2.0)
    assert answer == on_demand({"location": "/team/sales"}, lambda: 3.0)
    assert answer["location"] == "/team/sales"
    shown = json.loads(json.dumps(answer["settings"]))
    assert (shown["size"], shown["max_instances"], shown["disable_protocols"]) == (
        "small",
        3,
        ["websocket"],
    )
    assert shown["environment"] == {"TZ": "UTC", "LEVEL": "2"}
    sources = answer["sources"]
    assert shown.keys() <= sources.keys()
    assert {name: sources[name]["layer"] for name in shown if sources[name]["where"]} == {
        "size": "bundle",
        "environment": "app",
        "max_instances": "app",
        "disable_protocols": "app",
    }
    assert sources["environment.TZ"] == {"layer": "bundle", "where": "sheen.toml", "ceiling": ""}
    assert sources["environment.LEVEL"]["where"] == "sheen configure"
    assert sources["start_count"] == {"layer": "default", "where": "", "ceiling": ""}
    assert App.get("/team/sales").updated_at == 2.0, "showing changes nothing"


@pytest.mark.parametrize(
    "event",
    [
        {},
        {"location": 3},
        {"location": "/hello", "settings": "size=small"},
        {"location": "/hello", "size": "small"},
        {"location": "/hello", "settings": ["size"]},
    ],
)
def test_a_payload_of_another_form_is_refused_with_the_form_and_none_of_its_values(
    event: dict[str, object],
) -> None:
    with pytest.raises(BadChange, match=r"the payload is not .* with .*settings") as caught:
        on_demand(event, lambda: 1.0)
    assert "small" not in str(caught.value)


def test_a_location_that_cannot_be_is_told() -> None:
    with pytest.raises(BadLocation, match="does not begin with a slash"):
        on_demand({"location": "hello"}, lambda: 1.0)


def test_the_bundles_settings_count_too_when_a_change_is_checked() -> None:
    app = store.ensure("/hello", 1.0)
    app.update(actions=[App.bundle_settings.set({"max_instances": 3})])
    configure("/hello", {"start_count": 3}, 2.0)
    assert App.get("/hello").resolved().settings.start_count == 3


def test_two_who_change_at_once_both_get_what_they_wanted() -> None:
    store.ensure("/hello", 1.0)
    changes = [
        {name: 7}
        for name in (
            "app_idle_timeout",
            "reconnect_grace",
            "max_instances",
            "sockjs_heartbeat_delay",
        )
    ]
    threads = [
        threading.Thread(target=configure, args=("/hello", change, 2.0)) for change in changes
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(App.get("/hello").settings) == len(changes)


def test_no_app_is_told() -> None:
    with pytest.raises(NoSuchApp, match="no app at /nowhere"):
        configure("/nowhere", {}, 1.0)


def test_what_the_deployment_sets_holds_until_a_bundle_or_the_app_says_otherwise() -> None:
    environment = {**ENVIRONMENT, "SHEEN_APP_DEFAULTS": "size=small app_idle_timeout=60"}
    App.bound(Settings.from_environment(environment))
    try:
        store.ensure("/hello", 1.0)
        answer = on_demand({"location": "/hello", "settings": {"size": "medium"}}, lambda: 2.0)
    finally:
        App.bound(Settings.from_environment(ENVIRONMENT))
    held = {name: answer["settings"][name] for name in ("size", "app_idle_timeout")}
    assert held == {"size": "medium", "app_idle_timeout": 60.0}
    assert answer["sources"]["size"]["layer"] == "app"
    assert answer["sources"]["app_idle_timeout"]["layer"] == "deployment"
