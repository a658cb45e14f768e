"""R's output, as its bytes come."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.processes.output import (
    KEEP,
    LONGEST_LINE,
    Line,
    Output,
    Pace,
    PhaseReport,
    clean,
    of_the_app,
)

MARK = "0123456789abcdef"


def everything(output: Output, parts: list[bytes]) -> list[Line | PhaseReport]:
    return [event for part in parts for event in output.feed(part)] + list(output.end())


def cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[start:end] for start, end in pairwise(edges)]


@given(st.lists(st.integers(0, 10_000), max_size=8))
def test_lines_and_phases_are_found_wherever_the_bytes_are_cut(places: list[int]) -> None:
    data = f"Loading\n\n{MARK} app\nwörking…\n\n{MARK} ready\nlast".encode()
    assert everything(Output(MARK), cut(data, places)) == [
        Line("Loading"),
        PhaseReport("app"),
        Line("wörking…"),
        PhaseReport("ready"),
        Line("last"),
    ]


def test_another_mark_is_output_and_the_right_one_is_not() -> None:
    output = Output(MARK)
    assert everything(output, [f"x{MARK} ready\nffff ready\n{MARK} app\n".encode()]) == [
        Line(f"x{MARK} ready"),
        Line("ffff ready"),
        PhaseReport("app"),
    ]
    assert f"{MARK} app" not in output.text()


@given(st.lists(st.binary(max_size=3 * LONGEST_LINE), max_size=6))
def test_memory_is_bounded_whatever_r_prints(parts: list[bytes]) -> None:
    output = Output(MARK)
    events = everything(output, parts)
    assert all(len(event.text) <= LONGEST_LINE for event in events if isinstance(event, Line))
    assert len(output.text()) <= KEEP + LONGEST_LINE


def test_the_newest_output_is_kept_from_a_whole_line_on() -> None:
    output = Output(MARK)
    everything(output, [f"line {number}\n".encode() for number in range(20_000)])
    kept = output.text().splitlines()
    assert kept[-1] == "line 19999"
    assert kept[0].startswith("line ")
    assert len(output.text()) <= KEEP


def test_colours_and_controls_do_not_reach_a_page() -> None:
    assert (
        clean("\x1b[31mError\x1b[0m\x07 in\x00 f()\r\x1b]8;;http://x\x07link") == "Error in f()link"
    )


@pytest.mark.parametrize(
    "unseen", ["\u202e", "\u2066", "\u200f", "\u061c", "\u200b", "\u2028", "\ufeff"]
)
def test_what_nobody_sees_in_a_line_is_shown_as_an_escape(unseen: str) -> None:
    assert clean(f"a{unseen}b") == f"a\\u{ord(unseen):04x}b"
    assert clean("a\x9bb\u0085c") == "abc"


@pytest.mark.parametrize(
    "line",
    [
        "[sheen] R ended with exit status 0",
        "  [Sheen] x",
        "\t[SHEEN]",
        "\u00ad[sheen] x",
        "\u200d[sheen] x",
        "\u3000[sheen]",
        "\uff3bsheen\uff3d",
    ],
)
def test_an_apps_line_that_looks_like_one_of_sheens_is_marked(line: str) -> None:
    assert of_the_app(line) == f"| {line}"
    assert not of_the_app(f"x{line}").startswith("|")


def test_a_flood_is_slowed_to_its_rate_and_a_burst_is_not() -> None:
    pace = Pace(100, 10, now=0.0)
    assert [pace.take(0.0) for _ in range(100)] == [0.0] * 100
    now, waits = 0.0, []
    for _ in range(50):
        waits.append(pace.take(now))
        now += waits[-1]
    assert 4.5 <= now <= 5.5
    assert pace.take(now + 1000) == 0.0
