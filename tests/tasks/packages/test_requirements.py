"""What a requirements.txt wants, and what of it the image has."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.requirements import Requirement

from tasks.packages import requirements
from tasks.packages.errors import BadLock
from tasks.packages.requirements import PythonPackage

IMAGE = {
    "shiny": PythonPackage(
        "1.8.0",
        (
            Requirement("starlette"),
            Requirement('theme>=1; extra == "theme"'),
            Requirement('never; extra == "add"'),
        ),
    ),
    "theme": PythonPackage("1.2"),
    "odd-name": PythonPackage("2.0rc1"),
    "strange": PythonPackage("not a version"),
}


def lacking(text: str) -> list[str]:
    return [str(each.requirement) for each in requirements.missing(requirements.read(text), IMAGE)]


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        ("", []),
        ("shiny\n", []),
        ("Shiny >= 1.0, < 2  # the newest\n\n# nothing else\n", []),
        ("shiny==1.7.0", ["shiny==1.7.0"]),
        ("shiny[theme]", []),
        ("shiny[add]", ["shiny[add]"]),
        ("Odd.Name>=2.0rc1", []),
        ("strange", ["strange"]),
        ("pandas>=2\nshiny\n", ["pandas>=2"]),
        ('pandas; python_version < "3"', []),
        ("pandas==2.0 \\\n  --hash=sha256:00ff \\\n  --hash=sha256:11ee\n", ["pandas==2.0"]),
    ],
)
def test_what_the_image_has_at_a_version_that_will_do_is_not_missing(
    text: str, missing: list[str]
) -> None:
    assert lacking(text) == missing


def test_hashes_are_kept_with_what_they_are_of() -> None:
    (wanted,) = requirements.read("pandas==2.0 \\\n  --hash=sha256:00ff \\\n  --hash=sha256:11ee\n")
    assert wanted.hashes == {"sha256:00ff", "sha256:11ee"}


@pytest.mark.parametrize(
    "line",
    [
        "-r other.txt",
        "-e .",
        "--index-url https://evil.example/simple",
        "--extra-index-url=https://evil.example",
        "./wheels/x.whl",
        "git+https://evil.example/x.git",
        "x @ https://evil.example/x.whl",
        "x @ file:///etc/passwd",
        "pandas==2.0 --no-binary :all:",
        "pandas==2.0 --global-option=x",
    ],
)
def test_what_would_fetch_from_elsewhere_is_refused_by_its_line(line: str) -> None:
    with pytest.raises(BadLock, match=r"requirements\.txt: line 2 is "):
        requirements.read(f"shiny\n{line}\n")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("x; " + "(" * 1900, 'line 1 is "x; '),
        ("\\\n" * 500_000 + "-r x", 'line 1 is "-r x"'),
        ("x" + "\\\n1" * 300_000, "line 1 has"),
        ("x" + " " * 900_000 + "!", "line 1 has 900,002 characters beside hashes"),
        ("x\n" * 400_000, "wants more than 2,000 packages"),
        ("x" + "==1" * 300_000, "line 1 has 900,001 characters"),
    ],
    ids=range(6),
)
def test_what_is_made_to_be_slow_or_too_deep_is_refused_at_once(text: str, why: str) -> None:
    began = time.process_time()
    with pytest.raises(BadLock, match=why):
        requirements.read(text)
    assert time.process_time() - began < 5


@given(st.text(max_size=200))
def test_no_text_is_read_as_an_option_of_pip(text: str) -> None:
    try:
        wanted = requirements.read(text)
    except BadLock:
        return
    assert not [
        each
        for each in wanted
        if str(each.requirement).startswith(("-", ".", "/")) or "\n" in str(each.requirement)
    ]
