"""REST proxy events as API Gateway makes them."""

import base64
from typing import Any
from urllib.parse import parse_qsl, urlsplit


class Context:
    """As much of Lambda's context as is looked at."""

    function_name = "sheen-test"
    aws_request_id = "aws-request"


def rest_event(
    method: str,
    url: str,
    headers: list[tuple[str, str]] | None = None,
    body: bytes = b"",
    stage: str = "",
) -> dict[str, Any]:
    parts = urlsplit(url)
    query: dict[str, list[str]] = {}
    for name, value in parse_qsl(parts.query, keep_blank_values=True):
        query.setdefault(name, []).append(value)
    every: dict[str, list[str]] = {}
    for name, value in headers or []:
        every.setdefault(name, []).append(value)
    resource = "/" if parts.path == "/" else "/{proxy+}"
    forwarded = ",".join(
        value for name, value in headers or [] if name.lower() == "x-forwarded-for"
    )
    return {
        "resource": resource,
        "path": parts.path,
        "httpMethod": method,
        "headers": {name: values[-1] for name, values in every.items()},
        "multiValueHeaders": every,
        "queryStringParameters": {name: values[-1] for name, values in query.items()} or None,
        "multiValueQueryStringParameters": query or None,
        "pathParameters": None if resource == "/" else {"proxy": parts.path.strip("/")},
        "stageVariables": None,
        "requestContext": {
            "resourcePath": resource,
            "httpMethod": method,
            "path": stage + parts.path,
            "requestId": "request-1",
            "identity": {
                "sourceIp": forwarded.rpartition(",")[2].strip()
            },  # the gateway puts it at the end of the header
            "stage": "socket",
        },
        "body": base64.b64encode(body).decode() if body else None,
        "isBase64Encoded": bool(body),
    }


def body_of(answer: dict[str, Any]) -> bytes:
    assert answer["isBase64Encoded"]
    return base64.b64decode(answer["body"])


def header_of(answer: dict[str, Any], name: str) -> list[str]:
    return [
        value
        for key, values in answer["multiValueHeaders"].items()
        if key.lower() == name
        for value in values
    ]
