"""What ``sheen configure`` takes and shows."""

import pytest

from chalicelib.apps.configure import ValueSource
from chalicelib.apps.errors import BadChange
from chalicelib.configuration.app_settings import AppSettings
from chalicelib.configuration.rules import plain
from sheen.configure import changes, rows


def test_the_commands_words_are_changes_and_what_it_shows_could_be_its_words() -> None:
    assert changes(["size=small", "start_count=", "environment.A=b=c"]) == {
        "size": "small",
        "start_count": "",
        "environment.A": "b=c",
    }
    for word in ("size", "=small", ""):
        with pytest.raises(BadChange, match=f'"{word}" is not NAME=VALUE'):
            changes([word])
    given = {
        "environment": {"A": "b c", "D": "it's"},
        "utilization_scheduler": (20, 0.9, 3),
        "preload": False,
        "app_idle_timeout": 7.5,
    }
    shown = {name: plain(value) for name, value in given.items()}
    assert shown["utilization_scheduler"] == "20 0.9 3"
    read = AppSettings.parse(shown)
    assert {name: getattr(read, name) for name in given} == given


def test_each_entry_of_a_map_has_a_row_with_its_own_origin() -> None:
    own = ValueSource(layer="app", where="sheen configure", ceiling="")
    default = ValueSource(layer="default", where="", ceiling="")
    bundle = ValueSource(layer="bundle", where="sheen.toml", ceiling="largest_size")
    shown = rows(
        {
            "location": "/hello",
            "settings": {"size": "medium", "data": {}, "environment": {"TZ": "UTC", "A": "1"}},
            "sources": {
                "size": bundle,
                "data": default,
                "environment": own,
                "environment.TZ": own,
                "environment.A": {**bundle, "ceiling": ""},
            },
        }
    )
    assert shown == [
        ("size", "medium", "bundle (sheen.toml), cut to the ceiling largest_size"),
        ("data", "", "default"),
        ("environment.TZ", "UTC", "app (sheen configure)"),
        ("environment.A", "1", "bundle (sheen.toml)"),
    ]
