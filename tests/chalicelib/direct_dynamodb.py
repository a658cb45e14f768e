"""PynamoDB straight into moto's DynamoDB, without HTTP and its serialising: ten times as fast, and
the conditions are moto's all the same.

Within :func:`aws_in_process`. ``before`` is called before each operation, with its name, where a
test may decide who goes first.
"""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from botocore import xform_name
from botocore.exceptions import ClientError
from moto.core.exceptions import JsonRESTError
from moto.dynamodb.responses import DynamoHandler
from pynamodb.connection.base import Connection

from infra.emulator.dynamodb import limits as dynamodb_limits
from tests.chalicelib.aws_in_process import ACCOUNT, REGION

_PREPARED = ("DescribeTable",)
_lock = threading.Lock()


@contextmanager
def direct_dynamodb(before: Callable[[str], None] = lambda operation: None) -> Iterator[None]:
    """Replace the way of every call of PynamoDB."""
    usual = Connection._make_api_call

    def direct(self: Connection, operation: str, arguments: dict[str, Any]) -> dict[str, Any]:
        if operation in _PREPARED:
            return dict(usual(self, operation, arguments))
        before(operation)
        dynamodb_limits.check(arguments)
        handler = DynamoHandler()
        handler.region, handler.current_account = REGION, ACCOUNT
        handler.body = handler.params = arguments
        try:
            with _lock:
                answer: dict[str, Any] = getattr(handler, xform_name(operation))().result
        except JsonRESTError as error:
            said = json.loads(error.get_body())
            raise ClientError(
                {"Error": {"Code": said["__type"].rpartition("#")[2], "Message": str(said)}},
                operation,
            ) from error
        return answer

    with patch.object(Connection, "_make_api_call", direct):
        yield
