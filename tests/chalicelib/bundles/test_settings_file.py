"""sheen.toml: read, or refused with the file's name."""

import pytest

from chalicelib.apps.settings import AppSettings
from chalicelib.bundles import settings_file
from chalicelib.bundles.errors import BadBundle


def test_settings_are_read_as_they_are_written() -> None:
    text = b"""
size = "small"
app_idle_timeout = 60
sanitize_errors = false
utilization_scheduler = [5, 0.5, 3]

[environment]
TZ = "Europe/Berlin"
[secrets]
DB_PASSWORD = "sales/db"
"""
    settings = AppSettings.parse(settings_file.read(text, "b.zip"))
    assert (settings.size, settings.app_idle_timeout, settings.sanitize_errors) == ("small", 60, False)
    assert settings.worker_limits == (5, 0.5, 3)
    assert (settings.environment, settings.secrets) == ({"TZ": "Europe/Berlin"}, {"DB_PASSWORD": "sales/db"})


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b"size = small", r"bundle b.zip: sheen.toml is not TOML: .*line 1.*; write NAME = VALUE, text in quotes"),
        (b'size = "\xff"', r"bundle b.zip: sheen.toml is not UTF-8 \(at byte 8\); save it as that"),
        (b"app_idle_timeout = -1", "sheen.toml: setting app_idle_timeout is -1; it is a number of seconds from 0 to 2,592,000"),
        (b"app_idle_timeout = 2026-11-20", r"bundle b.zip: sheen.toml: setting app_idle_timeout is .* it is a number of seconds"),
        (b"idle = 5", 'bundle b.zip: sheen.toml: there is no setting "idle"'),
        (b"[environment]\nLD_PRELOAD = 'x'", 'bundle b.zip: sheen.toml: setting environment: "LD_PRELOAD" cannot be in it'),
        (b"[environment]\nLEVEL = 2", 'sheen.toml: setting environment: "LEVEL" cannot be in it; it is names and values'),
        (b"[[environment]]\nx = 'y'", "sheen.toml: setting environment cannot be read; it is names and values"),
    ],
)  # fmt: skip
def test_a_bad_file_is_told(text: bytes, why: str) -> None:
    with pytest.raises(BadBundle, match=why):
        settings_file.read(text, "b.zip")
