"""Fixtures for tests of the domain against AWS's services in this process."""

from collections import Counter
from collections.abc import Iterator

import pytest

from tests.chalicelib.aws_in_process import aws_in_process, empty_tables
from tests.chalicelib.standin_agent import StandinAgent, standin_agent


@pytest.fixture(scope="module")
def tables() -> Iterator[Counter[str]]:
    """Sheen's tables; made once for a file of tests, since that takes seconds."""
    with aws_in_process() as calls:
        yield calls


@pytest.fixture
def dynamodb_calls(tables: Counter[str]) -> Counter[str]:
    """Sheen's tables, empty; counts the calls to DynamoDB."""
    empty_tables()
    tables.clear()
    return tables


@pytest.fixture
def agent() -> Iterator[StandinAgent]:
    """An agent's address with somebody at it."""
    with standin_agent() as server:
        yield server
