"""Ask a function of the deployment to do something."""

import json
from collections.abc import Mapping
from typing import Any

from chalicelib.aws import clients
from chalicelib.configuration.deployment import Settings
from chalicelib.errors import SheenError


class FunctionFailed(SheenError):
    """The function refused or failed. The message is its own."""


def call(settings: Settings, function: str, event: Mapping[str, Any]) -> bytes:
    """Invoke a function and return its answer as JSON; raise :class:`FunctionFailed`."""
    name = settings.function_name(function)
    answer = clients.client("lambda").invoke(FunctionName=name, Payload=json.dumps(event).encode())
    payload: bytes = answer["Payload"].read()
    if answer.get("FunctionError"):
        error = json.loads(payload)
        raise FunctionFailed(
            str(error.get("errorMessage") or f"function {name} failed; its log says why")
        )
    return payload
