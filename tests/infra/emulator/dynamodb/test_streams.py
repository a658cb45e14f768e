"""Which records of a batch a function gets again."""

import json
from typing import Any

import pytest

from infra.emulator.dynamodb.streams import not_accepted

RECORDS = [{"dynamodb": {"SequenceNumber": str(number)}} for number in (11, 12, 13)]


def naming(*numbers: Any) -> bytes:
    failures = [{"itemIdentifier": number} for number in numbers]
    return json.dumps({"batchItemFailures": failures}).encode()


@pytest.mark.parametrize(
    ("answer", "left"),
    [
        (b"", []),
        (b"null", []),
        (b"{}", []),
        (b'{"batchItemFailures": null}', []),
        (naming(), []),
        (naming("12"), RECORDS[1:]),
        (naming("13", "12"), RECORDS[1:]),
        (naming("11"), RECORDS),
        (naming("99"), RECORDS),
        (naming("12", "99"), RECORDS),
        (naming(None), RECORDS),
        (b'{"batchItemFailures": [{"itemidentifier": "12"}]}', RECORDS),
        (b'{"batchItemFailures": ["12"]}', RECORDS),
        (b'"text"', RECORDS),
        (b"no json", RECORDS),
    ],
)
def test_the_first_that_is_named_and_all_after_it_come_again(
    answer: bytes, left: list[dict[str, Any]]
) -> None:
    assert not_accepted(RECORDS, answer) == left
