"""The operation of an AWS API that a request calls, by its name in the API's reference."""

from typing import NamedTuple
from urllib.parse import unquote

from aiohttp import web


class S3Path(NamedTuple):
    """Bucket and key of a path-style S3 request."""

    bucket: str
    key: str


def s3_path(request: web.Request) -> S3Path:
    """Return the bucket and key in the request's path."""
    bucket, _, key = request.raw_path.partition("?")[0].lstrip("/").partition("/")
    return S3Path(unquote(bucket), unquote(key))


def operation_of(service: str, request: web.Request) -> str:
    """Return the operation's name.

    REST services have the names of operations that this module knows, and otherwise the HTTP
    method.
    """
    target = request.headers.get("X-Amz-Target")
    if target is not None:
        return target.rpartition(".")[2]
    path = request.raw_path.partition("?")[0]
    if service == "s3":
        return _s3_operation(request)
    if service == "lambda" and path.endswith("/invocations"):
        return "Invoke"
    if service == "execute-api":
        return {
            "POST": "PostToConnection",
            "GET": "GetConnection",
            "DELETE": "DeleteConnection",
        }.get(request.method, "?")
    return request.method


def _s3_operation(request: web.Request) -> str:
    query, key = request.query, s3_path(request).key
    if request.method == "PUT" and key:
        if "uploadId" in query:
            return "UploadPart"
        if any(name in query for name in ("acl", "tagging", "retention", "legal-hold")):
            return "PutObjectAttribute"
        return "CopyObject" if "x-amz-copy-source" in request.headers else "PutObject"
    if request.method == "POST":
        if "uploadId" in query:
            return "CompleteMultipartUpload"
        if "uploads" in query:
            return "CreateMultipartUpload"
        if "delete" in query:
            return "DeleteObjects"
    if request.method == "DELETE" and key:
        return "AbortMultipartUpload" if "uploadId" in query else "DeleteObject"
    if request.method in ("GET", "HEAD"):
        verb = request.method.capitalize()
        if key:
            return f"{verb}Object"
        return "ListObjects" if request.method == "GET" else "HeadBucket"
    return request.method
