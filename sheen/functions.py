"""Ask a function of the deployment to do something."""

import json
from collections.abc import Mapping
from typing import Any

from chalicelib.apps.errors import (
    BadChange,
    BadLocation,
    NoSuchApp,
    NoSuchVersion,
    NotArchived,
    TooBusy,
)
from chalicelib.aws import clients
from chalicelib.configuration.deployment import Settings
from chalicelib.configuration.errors import (
    BadAppSetting,
    BadConfiguration,
    ConfigurationLost,
    NoSuchConfiguration,
)
from chalicelib.errors import Broken
from chalicelib.publishing.scripts import BadScript
from chalicelib.syncs.errors import BadSync, NoSuchSync


class FunctionFailed(Broken):
    """The function failed. The message is its own."""


_REFUSALS = {
    error.__name__: error
    for error in (
        *(BadConfiguration, ConfigurationLost, NoSuchConfiguration),
        *(BadAppSetting, BadChange, BadLocation, BadScript, BadSync),
        *(NoSuchApp, NoSuchSync, NoSuchVersion, NotArchived, TooBusy),
    )
}
"""Errors that a function raises for its caller; Lambda names an error by its class."""


def call(settings: Settings, function: str, event: Mapping[str, Any]) -> bytes:
    """Invoke a function and return its answer as JSON.

    If the function refuses, raise the error that it raised. If it fails, raise
    :class:`FunctionFailed`.
    """
    name = settings.function_name(function)
    answer = clients.client("lambda").invoke(FunctionName=name, Payload=json.dumps(event).encode())
    payload: bytes = answer["Payload"].read()
    if answer.get("FunctionError"):
        error = json.loads(payload)
        raise _REFUSALS.get(str(error.get("errorType")), FunctionFailed)(
            str(error.get("errorMessage") or f"function {name} failed; its log says why")
        )
    return payload
