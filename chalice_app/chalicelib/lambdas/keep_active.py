"""Keep the functions in the VPC from becoming inactive.

Lambda removes the network interfaces of a function that was not invoked for about two weeks. The
function's next invocations then fail for a minute or two, until it has interfaces again. So each
function in the VPC is invoked every day, with an event that it ignores.
"""

import json
from collections.abc import Iterable
from typing import Any

from chalicelib.aws import clients

_MARK = "sheen_keep_active"
EVENT = {
    _MARK: True,
    # What Chalice reads of an event before it calls any of Sheen's code.
    "requestContext": {"apiId": "", "stage": "", "domainName": "", "connectionId": ""},
    "body": "",
}
"""The event that a function ignores.

No gateway, table or state machine makes an event with this key at its top, whatever a visitor
sends.
"""


def is_no_op(event: Any) -> bool:
    """Return whether an event only keeps its function active."""
    return isinstance(event, dict) and event.get(_MARK) is True


def keep_active(functions: Iterable[str]) -> None:
    """Invoke functions by their full names.

    If an invocation fails because its function is inactive already, it wakes the function all the
    same.
    """
    for function in functions:
        clients.client("lambda").invoke(
            FunctionName=function, InvocationType="Event", Payload=json.dumps(EVENT)
        )
