"""Errors in the formats of AWS's services, so that every SDK raises its own exceptions."""

import json
import uuid
from xml.sax.saxutils import escape

from aiohttp import web

from infra.emulator.errors import EmulatorError


class AwsError(EmulatorError):
    """An error that a service returns."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status


def error_response(service: str, error: AwsError) -> web.Response:
    """Return the error in the format of ``service``.

    That is XML for S3 and for services of the query protocol, otherwise JSON.
    """
    request_id = str(uuid.uuid4())
    if service == "s3":
        body = (
            '<?xml version="1.0" encoding="UTF-8"?>\n'
            f"<Error><Code>{error.code}</Code><Message>{escape(error.message)}</Message>"
            f"<RequestId>{request_id}</RequestId></Error>"
        )
        return web.Response(
            status=error.status,
            text=body,
            content_type="application/xml",
            headers={"x-amz-request-id": request_id},
        )
    if service in ("sts", "iam", "sns", "elasticloadbalancing"):
        body = (
            f"<ErrorResponse><Error><Type>Sender</Type><Code>{error.code}</Code><Message>{escape(error.message)}</Message>"
            f"</Error><RequestId>{request_id}</RequestId></ErrorResponse>"
        )
        return web.Response(status=error.status, text=body, content_type="text/xml")
    return web.Response(
        status=error.status,
        text=json.dumps({"__type": error.code, "message": error.message, "Type": "User"}),
        content_type="application/x-amz-json-1.1",
        headers={"x-amzn-RequestId": request_id, "x-amzn-ErrorType": error.code},
    )
