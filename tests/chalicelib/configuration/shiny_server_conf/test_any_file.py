"""Whatever a file has in it, reading it ends soon and says where it is wrong."""

import random
import time

from chalicelib.configuration.shiny_server_conf.directives.table import DIRECTIVES
from chalicelib.configuration.shiny_server_conf.match import Arrival, Matcher
from chalicelib.configuration.shiny_server_conf.reading import read
from chalicelib.configuration.shiny_server_conf.report import errors, report
from tests.chalicelib.configuration.shiny_server_conf.trees import FILES, Files
from tests.support.effort import amount, seed

SECONDS = amount(60, 6)
PER_CHARACTER = 0.01
"""Seconds: a hundred times what it takes, as other tests run beside this one."""
WORDS = [*DIRECTIVES, "/", "/a", "80", "on", "off", "shiny", ":HOME_USER:", "**", '"', "'", "\\"]
WORDS += [
    "${A}",
    "#",
    "\n",
    ";",
    ";",
    "{",
    "}",
    "\x00",
    "\ufeff",
    "\u201c",
    "{{ x }}",
    "proxy_pass",
]
CONFIGURATIONS = [path.read_text() for path in sorted(FILES.glob("*.conf"))]


def text(draw: random.Random) -> str:
    """Return random words, or a real configuration with random changes."""
    if draw.random() < 0.3:
        return " ".join(draw.choices(WORDS, k=draw.randrange(200)))
    words = draw.choice(CONFIGURATIONS)
    for _ in range(draw.randrange(1, 6)):
        start = draw.randrange(len(words) + 1)
        stop = min(len(words), start + draw.choice([0, 0, 1, 1, 3, 20]))
        insert = draw.choice([*WORDS, "", "", "", words[stop : stop + 40] * 3])
        words = words[:start] + insert + words[stop:]
    return words


def test_any_file_is_read_or_refused_soon_and_in_its_places() -> None:
    chosen = seed("SHEEN_CONF_SEED")
    draw = random.Random(chosen)
    end = time.monotonic() + SECONDS
    read_well = 0
    while time.monotonic() < end:
        file = text(draw)
        start = time.process_time()
        found = read(file, "x.conf")
        spent = time.process_time() - start
        context = f"SHEEN_CONF_SEED={chosen}: {file!r}"
        assert spent < 1 + PER_CHARACTER * len(file), context
        lines = file.removeprefix("\ufeff").split("\n")
        for finding in (*found.errors, *found.warnings):
            assert 1 <= finding.position.line <= len(lines), context
            assert 1 <= finding.position.column <= len(lines[finding.position.line - 1]) or (
                not file
            ), context
        assert (found.configuration is None) == bool(found.errors), context
        assert all(len(line) <= 100 and line.isprintable() for line in errors(found)), context
        if found.configuration is not None:
            read_well += 1
            assert all(len(line) <= 100 and line.isprintable() for line in report(found)), context
            Matcher(found.configuration).decide(Arrival("/a/b", "x", 3838), Files())
    assert read_well
