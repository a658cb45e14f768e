"""Keeps the functions in the VPC from becoming inactive.

Lambda takes away the network interfaces of a function that was not invoked for about two weeks, and then its next
invocations fail for a minute or two, until it has some again. So each function in the VPC is invoked every day with an
event that it does nothing about.
"""

import json
from collections.abc import Iterable
from typing import Any

from chalicelib.aws import clients

_MARK = "sheen_keep_active"
EVENT = {
    _MARK: True,
    # What Chalice reads of an event before it calls anything of ours.
    "requestContext": {"apiId": "", "stage": "", "domainName": "", "connectionId": ""},
    "body": "",
}
"""No gateway, table or state machine makes an event with this key at its top, whatever a visitor sends."""


def is_no_op(event: Any) -> bool:
    """Whether an event is there to keep its function active, and for nothing else."""
    return isinstance(event, dict) and event.get(_MARK) is True


def keep_active(functions: Iterable[str]) -> None:
    """Invoke functions by their full names. An invocation that fails, since its function is inactive already, wakes it all the same."""
    for function in functions:
        clients.client("lambda").invoke(FunctionName=function, InvocationType="Event", Payload=json.dumps(EVENT))
