"""The nearest layer that has a setting wins, and each value says where it comes from."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.configuration import layers
from chalicelib.configuration.app_settings import DECLARED, AppSettings
from chalicelib.configuration.declaring import OPERATORS, Declaration, LayerKind
from chalicelib.configuration.errors import BadAppSetting
from chalicelib.configuration.layers import DEFAULT, Layer, Origin, check_defaults, resolve
from tests.chalicelib.configuration.any_settings import names, values

KINDS = [kind for kind in LayerKind if kind is not LayerKind.DEFAULT]
good = st.fixed_dictionaries(
    {},
    optional={
        "app_idle_timeout": st.integers(0, 100),
        "sanitize_errors": st.booleans(),
        "disable_protocols": st.lists(st.sampled_from(["websocket", "xhr-polling"]), unique=True),
        "environment": st.dictionaries(st.sampled_from("ABC"), st.sampled_from("xyz")),
    },
)


@given(st.lists(st.tuples(st.sampled_from(KINDS), good), max_size=6))
def test_every_value_is_that_of_the_nearest_layer_and_says_which(
    given_layers: list[tuple[LayerKind, dict[str, Any]]],
) -> None:
    stack = [
        Layer(Origin(kind, str(number)), settings)
        for number, (kind, settings) in enumerate(given_layers)
    ]
    resolved = resolve(stack)
    for name in ("app_idle_timeout", "sanitize_errors", "disable_protocols"):
        nearest = next((layer for layer in reversed(stack) if name in layer.values), None)
        assert resolved.origin_of(name) == (nearest.origin if nearest else DEFAULT)
        if nearest is not None:
            held = getattr(AppSettings.parse({name: nearest.values[name]}), name)
            assert getattr(resolved.settings, name) == held, "a list is replaced, not merged"
    for key, value in resolved.settings.environment.items():
        nearest = next(
            layer for layer in reversed(stack) if key in layer.values.get("environment", {})
        )
        assert nearest.values["environment"][key] == value
        assert resolved.origin_of(f"environment.{key}") == nearest.origin
    every = {key for layer in stack for key in layer.values.get("environment", {})}
    assert resolved.settings.environment.keys() == every


def test_a_setting_of_a_file_is_known_by_its_line() -> None:
    location = Layer(
        Origin(LayerKind.LOCATION, "/sales"),
        {"app_idle_timeout": 5, "reconnect": "off"},
        {"reconnect": "shiny-server.conf:12"},
    )
    resolved = resolve([layers.deployment({"app_idle_timeout": 60}), location, layers.app({})])
    assert str(resolved.origin_of("reconnect")) == "location (shiny-server.conf:12)"
    assert str(resolved.origin_of("app_idle_timeout")) == "location (/sales)"
    assert str(resolved.origin_of("size")) == "default"
    assert resolved.settings.reconnect is False


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (
            {"app_idle_timeout": "soon"},
            "deployment (the stage): setting app_idle_timeout is 'soon'",
        ),
        (
            {"title": "All of them"},
            "setting title cannot be set for the whole deployment; it may be",
        ),
        ({"tite": "x"}, 'deployment (the stage): there is no setting "tite"; did you mean title?'),
    ],
)
def test_an_operators_mistake_is_located_even_if_the_app_has_another_value(
    settings: dict[str, Any], words: str
) -> None:
    own = layers.app({"app_idle_timeout": 5, "title": "Mine"})
    with pytest.raises(BadAppSetting) as error:
        resolve([layers.deployment(settings, "the stage"), own])
    assert words in str(error.value)


def test_what_only_operators_may_set_is_refused_in_a_bundle_and_for_an_app(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rule = DECLARED["sanitize_errors"].rule
    monkeypatch.setitem(DECLARED, "sanitize_errors", Declaration(rule, within=OPERATORS))
    assert not DECLARED["sanitize_errors"].for_authors
    for layer in (
        layers.bundle({"sanitize_errors": False}),
        layers.app({"sanitize_errors": False}),
    ):
        with pytest.raises(BadAppSetting, match="ask the operator of this deployment"):
            resolve([layer])
    assert not resolve([layers.deployment({"sanitize_errors": False})]).settings.sanitize_errors


def test_what_a_deployment_sets_for_all_apps_fits_into_a_functions_variables() -> None:
    check_defaults({"environment": {"TZ": "UTC"}, "size": "small"})
    with pytest.raises(BadAppSetting, match=r"1,0\d\d characters together; 1,000 are allowed"):
        check_defaults({"environment": {"A": "x" * 1000}})


@pytest.mark.parametrize(
    ("bundle", "own", "held"),
    [
        ({"size": "small"}, {}, {"size": "small"}),
        ({"size": "small"}, {"size": "large"}, {"size": "large"}),
        (
            {"simple_scheduler": 5},
            {"utilization_scheduler": "5 0.5 3"},
            {"utilization_scheduler": (5, 0.5, 3)},
        ),
        (
            {"max_connections": 5},
            {"max_worker_processes": 2},
            {"max_connections": 5, "max_worker_processes": 2},
        ),
        (
            {"environment": {"A": "1", "B": "1"}},
            {"environment": "B=2 C=3"},
            {"environment": {"A": "1", "B": "2", "C": "3"}},
        ),
        (
            {"environment": {"A": "1"}},
            {"secrets": {"A": "name"}},
            {"secrets": {"A": "name"}, "environment": {}},
        ),
        (
            {"secrets": {"A": "name", "B": "name"}},
            {"environment": "A=1"},
            {"secrets": {"B": "name"}, "environment": {"A": "1"}},
        ),
    ],
)
def test_the_apps_own_settings_go_before_its_bundles(
    bundle: dict[str, object], own: dict[str, object], held: dict[str, object]
) -> None:
    assert resolve([layers.bundle(bundle), layers.app(own)]).settings == AppSettings.parse(held)


@given(st.dictionaries(names, values, max_size=3), st.dictionaries(names, values, max_size=3))
def test_settings_that_are_good_alone_go_together_or_are_refused(
    bundle: dict[str, object], own: dict[str, object]
) -> None:
    try:
        own_alone = AppSettings.parse(own)
        AppSettings.parse(bundle)
        held = resolve([layers.bundle(bundle), layers.app(own)]).settings
    except BadAppSetting:
        return
    for name in own:
        if name not in ("environment", "secrets", "data"):
            assert getattr(held, name) == getattr(own_alone, name)
