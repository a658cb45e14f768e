"""sheen.toml: read, or refused with the file's name."""

import time

import pytest

from chalicelib.configuration.app_settings import AppSettings
from chalicelib.publishing import settings_file
from chalicelib.publishing.errors import BadBundle


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
    assert (settings.size, settings.app_idle_timeout, settings.sanitize_errors) == (
        "small",
        60,
        False,
    )
    assert settings.worker_limits == (5, 0.5, 3)
    assert (settings.environment, settings.secrets) == (
        {"TZ": "Europe/Berlin"},
        {"DB_PASSWORD": "sales/db"},
    )


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b"size = small", (r"bundle b.zip: sheen.toml is not TOML: .*line 1.*; write NAME = VALUE, text in "  # noqa: E501
r"quotes")),
        (b'size = "\xff"', r"bundle b.zip: sheen.toml is not UTF-8 \(at byte 8\); save it as that"),
        (b"app_idle_timeout = -1", ("sheen.toml: setting app_idle_timeout is -1; it is a number of seconds from 0 to "  # noqa: E501
"2,592,000")),
        (b"app_idle_timeout = 2026-11-20", (r"bundle b.zip: sheen.toml: setting app_idle_timeout is .* it is a number of "  # noqa: E501
r"seconds")),
        (b"idle = 5", 'bundle b.zip: sheen.toml: there is no setting "idle"'),
        (b"[environment]\nLD_PRELOAD = 'x'", 'bundle b.zip: sheen.toml: setting environment: "LD_PRELOAD" cannot be in it'),  # noqa: E501
        (b"[environment]\nLEVEL = 2", 'sheen.toml: setting environment: "LEVEL" cannot be in it; it is names and values'),  # noqa: E501
        (b"[[environment]]\nx = 'y'", "sheen.toml: setting environment cannot be read; it is names and values"),  # noqa: E501
    ],
)  # fmt: skip
def test_a_bad_file_is_told(text: bytes, why: str) -> None:
    with pytest.raises(BadBundle, match=why):
        settings_file.read(text, "b.zip")


DEEP = r"sheen.toml: line \d nests more than 16 levels; no setting does"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b"a = " + b"[" * 50_000, DEEP),
        (b"a = " + b"{a=" * 15_000, DEEP),
        (b"a" + b".a" * 30_000 + b" = 1", DEEP),
        (b"[" + b"a." * 30_000 + b"a]", DEEP),
        (b"a = {" + b"a." * 30_000 + b"a = 1}", DEEP),
        (b'b = """a""""\na' + b".a" * 30_000 + b" = 1", DEEP),
        (b"b = '''a'''''\na" + b".a" * 30_000 + b" = 1", DEEP),
        (b"size = " + b"9" * 60_000, "sheen.toml is not TOML: Exceeds the limit"),
        (
            b"size = 0x" + b"f" * 60_000,
            "setting size is a value of type int that is too large to show; it is one of",
        ),
        (b"size = [" + b"1," * 30_000 + b"]", r"setting size is \[1, 1,.*…; it is one of"),
        (b"a" * 60_000 + b" = 1", 'there is no setting "aaa'),
    ],
    ids=range(11),
)
def test_what_is_made_to_be_slow_or_too_deep_is_a_bad_bundle_at_once(text: bytes, why: str) -> None:
    began = time.process_time()
    with pytest.raises(BadBundle, match=why) as caught:
        settings_file.read(text, "b.zip")
    assert time.process_time() - began < 2
    assert len(str(caught.value)) < 3000


@pytest.mark.parametrize(
    "text",
    [
        b"# [[[[[[[[[[[[[[[[[[[[[[[[[",
        b'[environment]\nA = "' + b"[." * 1000 + b'"',
        b'[environment]\nA = "\\"' + b"[" * 100 + b'"\nB = """"x""' + b"\n{{" * 100 + b'"""',
        b"[environment]\nA = '" + b"{." * 100 + b"'",
    ],
    ids=range(4),
)
def test_brackets_and_dots_in_texts_and_comments_do_not_count(text: bytes) -> None:
    assert settings_file.read(text, "b.zip").keys() <= {"environment"}
