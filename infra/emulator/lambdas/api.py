"""Lambda's API: Invoke."""

import json
from urllib.parse import unquote

from aiohttp import web

from infra.emulator.aws_errors import AwsError
from infra.emulator.gateway.invoker import NotActive, Throttled, TimedOut
from infra.emulator.keys import AccessKey
from infra.emulator.lambdas.invoker import LambdaInvoker

EVENT_BYTES = 1_048_576
"""Limit of an asynchronous invocation."""


class LambdaApi:
    """Invokes functions for callers of AWS's API."""

    def __init__(self, invoker: LambdaInvoker) -> None:
        self._invoker = invoker

    async def handle(
        self, request: web.Request, operation: str, body: bytes, _key: AccessKey
    ) -> web.Response | None:
        """Answer Invoke; moto answers the rest."""
        if operation != "Invoke":
            return None
        function = self._invoker.function(unquote(request.raw_path.split("/")[3])).name
        kind = request.headers.get("X-Amz-Invocation-Type", "RequestResponse")
        _check_json(body)
        match kind:
            case "DryRun":
                return web.Response(status=204)
            case "Event":
                if len(body) > EVENT_BYTES:
                    message = (
                        f"Request must be smaller than {EVENT_BYTES} bytes for the "
                        "InvokeFunction operation"
                    )
                    raise AwsError("RequestTooLargeException", message, 413)
                self._invoker.invoke_event(function, body or b"{}")
                return web.Response(status=202)
            case "RequestResponse":
                return await self._invoke(function, body or b"{}")
        raise AwsError("InvalidParameterValueException", f"Unknown invocation type {kind}")

    async def _invoke(self, function: str, event: bytes) -> web.Response:
        try:
            invocation = await self._invoker.invoke(function, event)
        except (Throttled, TimedOut) as error:
            raise AwsError("TooManyRequestsException", "Rate Exceeded.", 429) from error
        except NotActive as error:
            raise AwsError("ResourceConflictException", str(error), 409) from error
        headers = {"X-Amz-Executed-Version": "$LATEST"}
        if invocation.function_error is not None:
            headers["X-Amz-Function-Error"] = invocation.function_error
        return web.Response(
            body=invocation.payload, content_type="application/json", headers=headers
        )


def _check_json(body: bytes) -> None:
    if body:
        try:
            json.loads(body)
        except ValueError as error:
            message = f"Could not parse request body into json: {error}"
            raise AwsError("InvalidRequestContentException", message) from None
