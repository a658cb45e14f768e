"""Copies of values, in programs that cannot import the original, do not drift from it."""

import ast
import re
from pathlib import Path
from typing import Any

import pytest

from chalicelib.agents import protocol
from chalicelib.configuration.limits import DIRECT_UPLOAD
from relay.settings import LARGEST_MESSAGE

ROOT = Path(__file__).parents[1]


def product(text: str) -> int:
    """Return the value of a product of whole numbers."""
    value = 1
    for factor in text.split("*"):
        value *= int(factor)
    return value


def constant(path: str, name: str) -> Any:
    """Return what a Python file assigns to a name at its top level; the file is not run."""
    for node in ast.parse((ROOT / path).read_text()).body:
        match node:
            case ast.Assign(targets=[ast.Name(id=target)], value=value) if target == name:
                text = ast.unparse(value)
                return product(text) if re.fullmatch(r"[\d* ]+", text) else ast.literal_eval(value)
    raise AssertionError(f"{path} assigns nothing to {name}")


@pytest.mark.parametrize(
    ("path", "name", "original"),
    [
        ("workers/python/start.py", "_LARGEST_MESSAGE", LARGEST_MESSAGE),
        ("workers/agent/health.py", "PORT", protocol.PORT),
        ("workers/agent/health.py", "PATH", protocol.HEALTH),
    ],
)
def test_a_copy_in_a_program_of_its_own_has_the_value_of_the_original(
    path: str, name: str, original: object
) -> None:
    assert constant(path, name) == original


def test_the_browser_sends_by_s3_what_a_lambda_does_not_take() -> None:
    text = (ROOT / "client/src/upload.ts").read_text()
    found = re.search(r"export const THRESHOLD = ([\d* ]+);", text)
    assert found is not None
    assert product(found[1]) == DIRECT_UPLOAD
