"""The rights that calls of DynamoDB need."""

from collections.abc import Iterator

from infra.emulator.rights.call import Call
from infra.emulator.rights.policy import NeededRight
from infra.emulator.settings import arn

_ONE_TABLE = frozenset(
    {
        "GetItem",
        "PutItem",
        "UpdateItem",
        "DeleteItem",
        "DescribeTable",
        "DescribeTimeToLive",
        "DescribeContinuousBackups",
        "CreateBackup",
    }
)
_TABLE_OR_INDEX = frozenset({"Query", "Scan"})
_MANY_TABLES = frozenset({"BatchGetItem", "BatchWriteItem"})
_IN_TRANSACTION = {
    "Put": "PutItem",
    "Update": "UpdateItem",
    "Delete": "DeleteItem",
    "ConditionCheck": "ConditionCheckItem",
    "Get": "GetItem",
}
_TRANSACTIONS = frozenset({"TransactWriteItems", "TransactGetItems"})
_OF_STREAM = frozenset({"DescribeStream", "GetShardIterator"})


def needs(call: Call) -> Iterator[NeededRight]:
    """Yield what the call needs; raise :class:`NotMapped`."""
    operation, parameters = call.operation, call.parameters

    def table(name: str) -> str:
        return name if name.startswith("arn:") else arn("dynamodb", f"table/{name}")

    if operation in _ONE_TABLE:
        yield NeededRight(f"dynamodb:{operation}", table(parameters["TableName"]))
    elif operation in _TABLE_OR_INDEX:
        index = parameters.get("IndexName")
        yield NeededRight(
            f"dynamodb:{operation}",
            table(parameters["TableName"]) + (f"/index/{index}" if index else ""),
        )
    elif operation in _MANY_TABLES:
        for name in parameters["RequestItems"]:
            yield NeededRight(f"dynamodb:{operation}", table(name))
    elif operation in _TRANSACTIONS:
        for item in parameters["TransactItems"]:
            for kind, what in item.items():
                yield NeededRight(f"dynamodb:{_IN_TRANSACTION[kind]}", table(what["TableName"]))
    elif operation in _OF_STREAM:
        yield NeededRight(f"dynamodb:{operation}", parameters["StreamArn"])
    elif operation == "ListTables":
        yield NeededRight("dynamodb:ListTables", "*")
    else:
        raise call.not_mapped()
