"""The local DynamoDB refuses what the true one refuses, and moto does not."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from infra.emulator.aws_errors import AwsError
from infra.emulator.dynamodb.limits import LONGEST_EXPRESSION, check
from tests.infra.tiny_process import TinyStack


def expression(size: int) -> str:
    return "SET a = :v" + ", a = :v" * ((size - 10) // 8) + " " * ((size - 10) % 8)


@pytest.mark.parametrize("name", ["UpdateExpression", "ConditionExpression", "FilterExpression"])
@pytest.mark.parametrize("in_transaction", [False, True])
def test_an_expression_is_at_most_4_kb_long(name: str, in_transaction: bool) -> None:
    def parameters(size: int) -> dict[str, Any]:
        call = {
            "TableName": "t",
            name: expression(size),
            "ExpressionAttributeValues": {":v": {"S": "x" * 9999}},
        }
        return (
            {"TransactItems": [{"Update": {"TableName": "t"}}, {"Update": call}]}
            if in_transaction
            else call
        )

    check(parameters(LONGEST_EXPRESSION))
    with pytest.raises(
        AwsError, match=f"Invalid {name}: Expression size has exceeded the maximum allowed size"
    ):
        check(parameters(LONGEST_EXPRESSION + 1))


def test_a_component_hears_of_it_as_on_aws(tiny: TinyStack) -> None:
    dynamodb = tiny.client("dynamodb")
    actions = ", ".join(f"s{number} = :v" for number in range(500))
    with pytest.raises(ClientError) as caught:
        dynamodb.update_item(
            TableName="tiny-local-things",
            Key={"k": {"S": "x"}},
            UpdateExpression=f"SET {actions}",
            ExpressionAttributeValues={":v": {"S": "v"}},
        )
    assert caught.value.response["Error"]["Code"] == "ValidationException"
    assert "Item" not in dynamodb.get_item(TableName="tiny-local-things", Key={"k": {"S": "x"}})
