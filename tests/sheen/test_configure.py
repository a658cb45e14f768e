"""What ``sheen configure`` takes and shows."""

import pytest

from chalicelib.apps.errors import BadChange
from chalicelib.configuration.app_settings import AppSettings
from sheen.configure import changes, plain


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
