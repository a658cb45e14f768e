"""The build log as it is followed while it grows."""

from collections import Counter
from collections.abc import Iterator

import boto3
import pytest

from sheen.build_log import BuildLogReader
from tests.chalicelib.aws_in_process import BUCKET, aws_in_process

KEY = "bundles/hello/app.zip"


@pytest.fixture(scope="module", autouse=True)
def services() -> Iterator[Counter[str]]:
    with aws_in_process() as calls:
        yield calls


def write(text: str) -> None:
    boto3.client("s3").put_object(
        Bucket=BUCKET, Key="outcomes/hello/app.zip.log", Body=text.encode()
    )


def test_each_line_comes_once_and_whole() -> None:
    log = BuildLogReader(BUCKET, KEY, every=0)
    assert log.lines() == []
    write("one\ntw")
    assert log.lines() == ["one"]
    assert log.lines() == []
    write("one\ntwo\n\nthree\nthe e")
    assert log.lines() == ["two", "", "three"]
    write("one\ntwo\n\nthree\nthe end")
    assert log.lines(over=True) == ["the end"]
    assert log.lines(over=True) == []


@pytest.mark.parametrize(
    "anew", ["other\n", "another first line\nand more of it than there was\n" * 100]
)
def test_a_log_that_is_written_anew_is_told_from_its_beginning(anew: str) -> None:
    log = BuildLogReader(BUCKET, KEY, every=0)
    first = "".join(f"line {number}\n" for number in range(300))
    write(first + "half a li")
    assert log.lines() == first.splitlines()
    write(anew)
    assert log.lines() == anew.splitlines()
    write(anew + "the end\n")
    assert log.lines() == ["the end"]


def test_it_is_not_asked_for_all_the_time_but_at_the_end_it_is() -> None:
    log = BuildLogReader(BUCKET, KEY, every=1000)
    write("one\n")
    assert log.lines() == ["one"]
    write("one\ntwo\n")
    assert log.lines() == []
    assert log.lines(over=True) == ["two"]


def test_a_build_without_a_log_has_said_nothing() -> None:
    assert BuildLogReader(BUCKET, "bundles/none.zip").lines(over=True) == []
