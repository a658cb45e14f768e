"""``.shiny_app.conf``: what it may say, from which line each value comes, and what it may not."""

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.apps.model import App
from chalicelib.configuration.declaring import LayerKind
from chalicelib.configuration.errors import BadAppSetting
from chalicelib.configuration.layers import Layer, Origin, resolve
from chalicelib.configuration.shiny_server_conf.app_file import LARGEST, decoded, read
from chalicelib.configuration.shiny_server_conf.directives.table import DIRECTIVES


def allowed(**more: Any) -> list[Layer]:
    """Return the layers of a location below which the file counts."""
    return [Layer(Origin(LayerKind.LOCATION, "x.conf:3"), {"allow_app_override": True, **more})]


def app(text: str, sheen_toml: dict[str, Any] | None = None, **own: Any) -> App:
    bundle = {**(sheen_toml or {}), ".shiny_app.conf": text}
    return App("/a", bundle_settings=bundle, settings=own)


def test_the_file_is_nearer_than_the_location_and_farther_than_the_bundle_and_the_app() -> None:
    text = "app_idle_timeout 7;\nreconnect off;\napp_session_timeout 9;\nsanitize_errors no;"
    found = app(text, {"app_session_timeout": 8}, sanitize_errors=True).resolved(
        allowed(app_idle_timeout=3, app_init_timeout=4)
    )
    held = {
        name: (getattr(found.settings, name), str(found.origin_of(name)))
        for name in DIRECTIVES
        if name in found.origins
    }
    assert held == {
        "allow_app_override": (True, "location (x.conf:3)"),
        "app_init_timeout": (4.0, "location (x.conf:3)"),
        "app_idle_timeout": (7.0, "bundle (.shiny_app.conf:1)"),
        "reconnect": (False, "bundle (.shiny_app.conf:2)"),
        "app_session_timeout": (8.0, "bundle (sheen.toml)"),
        "sanitize_errors": (True, "app (sheen configure)"),
    }


def test_the_file_counts_only_where_the_operator_allows_it() -> None:
    broken = app("app_idle_timeout 7s; required_user admin;")
    for layers in ([], allowed(allow_app_override=False)):
        assert broken.resolved(layers).settings.app_idle_timeout == 5.0
    with pytest.raises(BadAppSetting):
        broken.resolved(allowed())
    with pytest.raises(BadAppSetting, match="allow_app_override"):
        app("", {"allow_app_override": True}).resolved()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("app_idle_timeout 5s;", '.shiny_app.conf:1:18: timeout of app_idle_timeout is "5s"; it'),
        ("reconnect off;\n\n  apo_idle_timeout 5;", ".shiny_app.conf:3:3: there is no directive"),
        ("reconnect off\nsanitize_errors no;", "a ; is missing before"),
        ("required_user jo;", ".shiny_app.conf:1:1: required_user asks for a login"),
        ("required_group staff;", "required_group asks for a login"),
        ("reconnect; nonsense; reconnect;", ".shiny_app.conf:1:22: reconnect stands twice"),
    ],
)
def test_each_error_is_told_with_file_line_and_column(text: str, said: str) -> None:
    with pytest.raises(BadAppSetting) as error:
        app(text).resolved(allowed())
    assert said in str(error.value)


def test_all_errors_are_told_at_once() -> None:
    with pytest.raises(BadAppSetting, match=r":1:1: .*:2:1: .*; and 2 more"):
        read("\n".join(f"nonsense{n};" for n in range(12)))


@pytest.mark.parametrize("above", [{}, {"simple_scheduler": 30, "log_file_mode": "0600"}])
def test_bugs_of_shiny_server_are_not_repeated(above: dict[str, Any]) -> None:
    """A file resets neither scheduler nor mode; it can switch on what is off above."""
    off = {"reconnect": False, "sanitize_errors": False, "preserve_logs": True}
    text = "reconnect; sanitize_errors on; preserve_logs off; app_idle_timeout 1;"
    settings = app(text).resolved(allowed(**above, **off)).settings
    assert (settings.reconnect, settings.sanitize_errors, settings.preserve_logs) == (
        True,
        True,
        False,
    )
    assert settings.simple_scheduler == above.get("simple_scheduler", 100)
    assert settings.log_file_mode == above.get("log_file_mode", "0640")


def test_another_scheduler_replaces_that_of_the_location() -> None:
    found = app("simple_scheduler 5;").resolved(allowed(utilization_scheduler=(20, 0.9, 3)))
    assert found.settings.worker_limits.seats == 5


def test_what_has_no_effect_is_told() -> None:
    text = "run_as root;\nserver { listen 80; }\napp_init_timeout 600;\nrequired_user **;"
    found = read(text)
    assert [str(note) for note in found.notes] == [
        ".shiny_app.conf:1:1: run_as has no effect in .shiny_app.conf",
        ".shiny_app.conf:2:1: server has no effect in .shiny_app.conf",
        ".shiny_app.conf:3:1: app_init_timeout: 240 seconds, the longest time, instead of 600",
    ]
    assert found.layer.values == {"app_init_timeout": 240.0}


words = st.one_of(
    st.sampled_from(sorted(DIRECTIVES)), st.sampled_from([*'{};"#', "\n", "5", "off"]), st.text()
)


@given(st.lists(words, max_size=30))
def test_any_file_is_read_or_refused(words: list[str]) -> None:
    try:
        found = read(" ".join(words))
    except BadAppSetting:
        return
    resolve([*allowed(), found.layer])
    assert found.settings.keys() <= {row.setting for row in DIRECTIVES.values() if row.in_app_file}


@pytest.mark.parametrize("part", ["x;", "{", "reconnect off ", "required_user a;", '"', "#\n"])
def test_the_largest_file_is_read_at_once(part: str) -> None:
    began = time.monotonic()
    with pytest.raises(BadAppSetting):
        read((part * LARGEST)[:LARGEST] + "nonsense x y z;")
    assert time.monotonic() - began < 3


def test_a_file_that_is_no_text_or_too_long_is_refused() -> None:
    assert decoded(b"reconnect off;") == "reconnect off;"
    with pytest.raises(BadAppSetting, match="at byte 1"):
        decoded(b"a\xff")
    with pytest.raises(BadAppSetting, match="more than 16,384 bytes"):
        decoded(b"#" * (LARGEST + 1))
