"""Records of streams: one that fails does not hold up the others."""

from typing import Any

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError
from pynamodb.exceptions import GetError

from chalicelib.aws.streams import ItemChange, NotYet, each, may_pass


def refusal(code: str, status: int = 400) -> ClientError:
    error = {"Code": code, "Message": ""}
    return ClientError(
        {"Error": error, "ResponseMetadata": {"HTTPStatusCode": status}},
        "Call",
    )


@pytest.mark.parametrize(
    ("error", "passes"),
    [
        (NotYet(), True),
        (refusal("ThrottlingException"), True),
        (refusal("Unheard", 503), True),
        (refusal("AccessDeniedException"), False),
        (ReadTimeoutError(endpoint_url="x"), True),
        (GetError("", refusal("ProvisionedThroughputExceededException")), True),
        (GetError("", refusal("ConditionalCheckFailedException")), False),
        (GetError("", ReadTimeoutError(endpoint_url="x")), True),
        (GetError(""), False),
        (ValueError(), False),
    ],
)
def test_what_may_pass_is_told_from_what_never_will(error: Exception, passes: bool) -> None:
    assert may_pass(error) == passes


def test_only_what_may_pass_comes_again_and_all_the_rest_is_dealt_with() -> None:
    seen: list[str] = []

    def act(change: ItemChange) -> None:
        seen.append(change.number)
        if change.number == "2":
            raise NotYet
        if change.number == "3":
            raise ValueError("poison")

    records: list[dict[str, Any]] = [
        {"eventName": "INSERT", "dynamodb": {"SequenceNumber": str(number)}}
        for number in range(1, 5)
    ]
    assert each(records, act) == {"batchItemFailures": [{"itemIdentifier": "2"}]}
    assert seen == ["1", "2", "3", "4"]


def test_a_record_is_read_whatever_it_lacks() -> None:
    assert ItemChange.of({}) == ("", "", {}, {}, {})
    keys = {"id": {"S": "x"}}
    record = {"eventName": "REMOVE", "dynamodb": {"SequenceNumber": "7", "Keys": keys}}
    assert ItemChange.of(record) == ("7", "REMOVE", keys, {}, {})
