"""The build log: written while it grows, with a limit, and the last words of each package."""

from itertools import pairwise

from tasks import build_log as log
from tasks.build_log import BuildLog
from tests.support.waiting import until


def test_it_is_written_while_the_build_goes_on_and_at_its_end() -> None:
    written: list[bytes] = []
    with BuildLog(written.append, lambda error: None, every=0.01) as made:
        made.say("one")
        until(lambda: written and written[-1] == b"one\n", 10, "the first line")
        made.say("two", "R6 1.0")
        made.note("three")
    assert written[-1] == b"one\nR6 1.0| two\nnote: three\n"
    assert all(later.startswith(earlier) for earlier, later in pairwise(written))


def test_a_line_cannot_play_with_a_terminal() -> None:
    written: list[bytes] = []
    with BuildLog(written.append, lambda error: None) as made:
        made.say("\x1b[2Jgone\tand\rback\x9b31m\u202edo", "x1")
    assert written[-1].decode() == "x1| \ufffd[2Jgone\tand\ufffdback\ufffd31m\ufffddo\n"


def test_a_package_is_failed_with_its_own_last_words() -> None:
    with BuildLog(lambda text: None, lambda error: None) as made:
        for number in range(100):
            made.say(f"a {number}", "a")
            made.say(f"b {number}", "b")
    assert made.tail("a") == [f"a {number}" for number in range(100 - log.TAIL, 100)]


def test_it_does_not_grow_without_end_and_says_so() -> None:
    written: list[bytes] = []
    with BuildLog(written.append, lambda error: None) as made:
        for _ in range(20):
            made.say("x" * 1_000_000, "big")
    assert log.LARGEST - 1_100_000 < len(written[-1]) < log.LARGEST + 100
    assert written[-1].decode().splitlines()[-1] == "… 4 lines were left out: the log is full"


def test_what_s3_does_not_take_does_not_end_the_build() -> None:
    failed: list[Exception] = []

    def write(_text: bytes) -> None:
        raise ConnectionError("no network")

    with BuildLog(write, failed.append) as made:
        made.say("one")
    assert [str(error) for error in failed] == ["no network"]
