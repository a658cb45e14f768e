"""What others may send is read in time that grows with its size and not with its square: four times
as much takes about four times as long.

Each reader gets the worst input known for it. Quadratic time shows as a ratio of 16.
"""

import contextlib
import gc
import importlib.util
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from chalicelib.configuration.app_settings import AppSettings
from chalicelib.configuration.errors import BadAppSetting
from chalicelib.configuration.shiny_server_conf.reading import read
from chalicelib.identity import destinations, password_file
from chalicelib.identity.passwords import PasswordHash
from chalicelib.instances.census import Census
from chalicelib.pages import faults
from chalicelib.syncs.keys import matcher
from chalicelib.visits.health import Health, Load, filled
from chalicelib.visits.logging_visits import redacted
from relay import page
from tasks.packages import dcf, requirements

_HASH = str(PasswordHash(14, 8, 1, bytes(32), bytes(32)))
RATIO = 9.0
LEAST = 0.002
"""Seconds below which a time says nothing."""


def _sheen_relay() -> ModuleType:
    source = Path(__file__).resolve().parents[1] / "workers" / "python" / "sheen_relay.py"
    spec = importlib.util.spec_from_file_location("sheen_relay", source)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


async def _nothing(scope: object, receive: object, send: object) -> None:
    """An app that does nothing."""


RELAY = _sheen_relay().Relay(_nothing, "secret", "v.0.1")
CONFIG = page.PageConfig("s", "t", "/socket", "/hello", "abc")


def _page(part: bytes) -> Callable[[int], Callable[[], object]]:
    return lambda size: lambda: page.inject(part * (size // len(part)), CONFIG)


def _records(size: int) -> Callable[[], object]:
    return lambda: list(dcf.records("Field: x\n" + " y\n" * (size // 3)))


def _lines(size: int) -> Callable[[], object]:
    return lambda: list(requirements._lines("a\\\n" * (size // 3)))


def _named(size: int) -> Callable[[], object]:
    return lambda: RELAY.named(f"session/{'0' * 64}/download/" * (size // 82) + "?w=")


def _pattern(size: int) -> Callable[[], object]:
    pattern = matcher(["*a*a*a*b"])
    assert pattern is not None
    return lambda: pattern.match("/" + "a" * (size - 1))


def _conf(part: str) -> Callable[[int], Callable[[], object]]:
    return lambda size: lambda: read(part * (size // len(part)), "x.conf")


def _users(part: str) -> Callable[[int], Callable[[], object]]:
    return lambda size: lambda: password_file.read(part * (size // len(part)))


def _place(part: str) -> Callable[[int], Callable[[], object]]:
    return lambda size: lambda: destinations.safe("/" + part * (size // len(part)), "")


def _setting(name: str, part: str, key: bool = False) -> Callable[[int], Callable[[], object]]:
    def reader(size: int) -> Callable[[], object]:
        text = part * (size // len(part))
        given = {name: {f"{text}!": "x"} if key else f"{text}!"}

        def read() -> None:
            with contextlib.suppress(BadAppSetting):
                AppSettings.parse(given)

        return read

    return reader


def _logged(part: str) -> Callable[[int], Callable[[], object]]:
    return lambda size: lambda: redacted(part * (size // len(part)))


def _template(part: str) -> Callable[[int], Callable[[], object]]:
    return lambda size: lambda: faults({"error": part * (size // len(part))})


def _health(part: str) -> Callable[[int], Callable[[], object]]:
    told = Health(Census(1, 1, 1), Load())
    return lambda size: lambda: filled(part * (size // len(part)), told)


READERS: dict[str, tuple[Callable[[int], Callable[[], object]], int]] = {
    "titles that do not end": (_page(b"<title>"), 100_000),
    "scripts that do not end": (_page(b"<script "), 100_000),
    "comments that do not end": (_page(b"<!--"), 100_000),
    "ends of titles that do not end": (_page(b"<title></title "), 100_000),
    "parts of all kinds that do not end": (
        _page(b"<style><script><title><textarea><noscript><template><!--"),
        100_000,
    ),
    "a field of a DESCRIPTION that goes on": (_records, 600_000),
    "a line of requirements.txt that goes on": (_lines, 600_000),
    "sessions' URLs in a message of Shiny for Python": (_named, 400_000),
    "quotes that do not end in a shiny-server.conf": (_conf('"\\'), 100_000),
    "blocks that do not end": (_conf("a {"), 30_000),
    "blocks that do not begin": (_conf("}"), 10_000),
    "semicolons that are missing": (_conf("log_dir\n"), 20_000),
    "lists that a missing semicolon makes": (_conf("run_as a\nserver {"), 20_000),
    "variables that nobody filled in": (_conf("a${b}"), 20_000),
    "words that no directive has": (_conf("abc;"), 20_000),
    "locations": (_conf("server{listen 1;location /a{redirect /b;}}"), 40_000),
    "users who stand many times in a file": (_users(f"kim:{_HASH}\n"), 400_000),
    "colons in a line of a file of users": (_users("k:"), 400_000),
    "a place to go on to after signing in": (_place("%2"), 400_000),
    "a name that a pattern of a sync nearly matches": (_pattern, 2_000),
    "a setting's name of a header": (_setting("set_header", "content-", key=True), 400_000),
    "a setting's site of a frame": (_setting("frame_options", "allow-from "), 400_000),
    "a setting's name of a role": (_setting("role", "a/"), 400_000),
    "a setting's name of a variable": (_setting("environment", "A", key=True), 400_000),
    "a setting's path of a program": (_setting("r_path", "/"), 400_000),
    "a URL for an access log": (_logged("/session/x/__sockjs__/n="), 400_000),
    "another URL for an access log": (_logged("/__sheen__"), 400_000),
    "attributes of a template": (_template(' onclick="'), 100_000),
    "blank attributes of a template": (_template(" on a = "), 100_000),
    "scripts of a template": (_template("<script"), 30_000),
    "a template of a health check": (_health("#a-"), 400_000),
    "a setting's command": (_setting("exec_supervisor", "a "), 100_000),
}


def _seconds(work: Callable[[], object]) -> float:
    def once() -> float:
        # A collection takes the longer the more the rest of the process keeps.
        gc.collect()
        gc.disable()
        try:
            start = time.process_time()
            work()
            return time.process_time() - start
        finally:
            gc.enable()

    return min(once() for _ in range(3))


@pytest.mark.parametrize("name", READERS)
def test_four_times_as_much_takes_about_four_times_as_long(name: str) -> None:
    reader, size = READERS[name]
    once = max(LEAST, _seconds(reader(size)))
    assert _seconds(reader(4 * size)) < RATIO * once, name
