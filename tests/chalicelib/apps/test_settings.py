"""An app's settings: read as they are meant, or refused by name."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.apps.errors import BadAppSetting
from chalicelib.apps.settings import AppSettings

values = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), st.lists(st.text(max_size=4), max_size=2))
names = st.sampled_from([*AppSettings.__dataclass_fields__, "no_such_setting"])


def test_without_settings_the_defaults_hold() -> None:
    assert AppSettings.parse({}) == AppSettings()


@given(st.dictionaries(names, values, max_size=3))
def test_any_map_is_read_or_refused_by_name(settings: dict[str, object]) -> None:
    try:
        parsed = AppSettings.parse(settings)
    except BadAppSetting as error:
        assert any(name in str(error) for name in settings)
    else:
        assert AppSettings.parse({name: getattr(parsed, name) for name in settings}) == parsed


@pytest.mark.parametrize(
    ("name", "value", "read"),
    [
        ("app_idle_timeout", "0", 0.0),
        ("app_idle_timeout", 2.5, 2.5),
        ("simple_scheduler", 100.0, 100),
        ("sanitize_errors", "off", False),
        ("disable_protocols", "websocket xhr-polling", ("websocket", "xhr-polling")),
    ],
)
def test_values_as_people_write_them(name: str, value: object, read: object) -> None:
    assert getattr(AppSettings.parse({name: value}), name) == read


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("simple_scheduler", 0, "a whole number from 1 to 1000, as in simple_scheduler=100"),
        ("simple_scheduler", 1.5, "a whole number"),
        ("app_init_timeout", 900, "a number of seconds from 1 to 240"),
        ("app_idle_timeout", float("nan"), "a number of seconds"),
        ("reconnect", "perhaps", "true or false"),
        ("disable_protocols", ["pigeons"], "a list of some of"),
        ("app_ide_timeout", 5, "there is no setting"),
    ],
)
def test_a_bad_value_is_told_its_rule(name: str, value: object, words: str) -> None:
    with pytest.raises(BadAppSetting, match=words):
        AppSettings.parse({name: value})
