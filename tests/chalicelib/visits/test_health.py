"""The health check: its words, its templates, and the load of a machine."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from chalicelib.instances.census import Census
from chalicelib.version import VERSION
from chalicelib.visits import health
from chalicelib.visits.health import Health, Load
from chalicelib.visits.machine_load import MachineLoad

ROOT = Path(__file__).parents[3]
HEALTH = Health(Census(8, 2, 3), Load(13.04, 49.0, 39.1, 1.01953125))


def test_without_a_template_each_value_has_its_line() -> None:
    assert health.text("", {}, HEALTH) == (
        f"server-version: {VERSION}\nactive-connections: 8\nactive-apps: 2\nactive-processes: 3\n"
        "cpu-percent: 13\nmemory-percent: 49\nswap-percent: 39.1\nload-average: 1.02\n"
    )


@pytest.mark.parametrize(
    ("path", "named", "text"),
    [
        ("/__health-check__", "", "own 8"),
        ("/__health-check__/", "", "own 8"),
        ("/__health-check__/json", "json", '{"apps": 2, "x": "#other#"}'),
        ("/__health-check__/xml", "xml", None),
        ("/__health-check__json", None, None),
        ("/hello/__health-check__", None, None),
    ],
)
def test_templates_have_their_urls(path: str, named: str | None, text: str | None) -> None:
    templates = {
        "": "own #active-connections#",
        "json": '{"apps": #active-apps#, "x": "#other#"}',
    }
    assert health.variant(path) == named
    if named is not None:
        assert health.text(named, templates, HEALTH) == text


def test_the_version_is_that_of_the_package() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["version"] == VERSION


def test_the_load_is_what_linux_says(tmp_path: Path) -> None:
    now = 100.0
    (tmp_path / "meminfo").write_text(
        "MemTotal: 1000 kB\nMemFree: 1 kB\nMemAvailable: 400 kB\nSwapTotal: 0 kB\nSwapFree: 0 kB\n"
    )
    (tmp_path / "loadavg").write_text("0.52 0.30 0.20 1/99 1234\n")
    (tmp_path / "stat").write_text("cpu  10 0 10 70 10 0 0 0 0 0\ncpu0 1 2\n")
    load = MachineLoad(lambda: now, tmp_path)
    assert load.read() == Load(20.0, 60.0, 0.0, 0.52)
    (tmp_path / "stat").write_text("cpu  60 0 10 120 10 0 0 0 0 0\n")
    now = 100.5
    assert load.read().cpu_percent == 20.0, "half a second is too short to say"
    now = 102.0
    assert load.read().cpu_percent == 50.0


def test_this_machine_has_a_load() -> None:
    load = MachineLoad(lambda: 1.0).read()
    assert 0 <= load.cpu_percent <= 100
    assert 0 < load.memory_percent < 100
