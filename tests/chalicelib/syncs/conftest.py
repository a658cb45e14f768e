"""Fixtures for tests of syncs' runs."""

from collections import Counter
from collections.abc import Iterator

import pytest

from tests.chalicelib.syncs.standin_aws import Services, standin_aws


@pytest.fixture
def services(dynamodb_calls: Counter[str]) -> Iterator[Services]:
    """Empty tables, and services that remember what they were asked."""
    with standin_aws() as found:
        yield found
