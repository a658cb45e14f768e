"""The rights that calls of S3 need.

Presigned URLs are requests of the principal that signed them, and need the same rights.
"""

import re
from collections.abc import Iterator
from urllib.parse import unquote
from xml.etree import ElementTree

from infra.emulator.rights.call import Call
from infra.emulator.rights.policy import NeededRight

_XML_KEY = re.compile(r"\{.*\}Key|Key")
_ATTRIBUTES = {
    "acl": "ObjectAcl",
    "tagging": "ObjectTagging",
    "retention": "ObjectRetention",
    "legal-hold": "ObjectLegalHold",
}
_NOT_A_SUBRESOURCE = re.compile(
    r"x-amz-.*|x-id|response-.*|list-type|prefix|delimiter|max-keys|continuation-token|start-after|encoding-type|fetch-owner|marker"
)
_BUCKET = {
    "uploads": "ListBucketMultipartUploads",
    "versions": "ListBucketVersions",
    "location": "GetBucketLocation",
    "versioning": "GetBucketVersioning",
    "notification": "GetBucketNotification",
}


def bucket_and_key(path: str) -> tuple[str, str]:
    """Return the bucket and key in a path-style path."""
    bucket, _, key = path.lstrip("/").partition("/")
    return unquote(bucket), unquote(key)


def needs(call: Call) -> Iterator[NeededRight]:
    """Yield what the call needs; raise :class:`NotMapped`."""
    bucket, key = bucket_and_key(call.path)
    if not bucket:
        yield NeededRight("s3:ListAllMyBuckets", "*")
    elif key:
        yield from _of_object(call, f"arn:aws:s3:::{bucket}/{key}")
    elif call.method == "POST" and "delete" in call.query and call.body is not None:
        for element in ElementTree.fromstring(call.body).iter():  # noqa: S314  (the stack's own callers)
            if _XML_KEY.fullmatch(element.tag):
                yield NeededRight("s3:DeleteObject", f"arn:aws:s3:::{bucket}/{element.text}")
    else:
        yield _of_bucket(call, f"arn:aws:s3:::{bucket}")


def listing(bucket: str) -> NeededRight:
    """Return what a caller needs to be told that an object does not exist.

    Callers that may not list the bucket are told that access is denied.
    """
    return NeededRight("s3:ListBucket", f"arn:aws:s3:::{bucket}")


def _of_object(call: Call, arn: str) -> Iterator[NeededRight]:
    query, method = call.query, call.method
    attribute = next((name for name in _ATTRIBUTES if name in query), None)
    if attribute is not None and method in ("GET", "PUT"):
        yield NeededRight(f"s3:{method.capitalize()}{_ATTRIBUTES[attribute]}", arn)
    elif method in ("GET", "HEAD"):
        version = "Version" if "versionId" in query else ""
        yield NeededRight(
            "s3:ListMultipartUploadParts" if "uploadId" in query else f"s3:GetObject{version}", arn
        )
    elif method == "PUT":
        yield NeededRight("s3:PutObject", arn)
        source = call.headers.get("x-amz-copy-source")
        if source is not None:
            source_bucket, source_key = bucket_and_key(source.partition("?")[0])
            yield NeededRight("s3:GetObject", f"arn:aws:s3:::{source_bucket}/{source_key}")
        if "x-amz-tagging" in call.headers:
            yield NeededRight("s3:PutObjectTagging", arn)
        if "x-amz-acl" in call.headers:
            yield NeededRight("s3:PutObjectAcl", arn)
    elif method == "POST" and ("uploads" in query or "uploadId" in query):
        yield NeededRight("s3:PutObject", arn)
    elif method == "DELETE":
        version = "Version" if "versionId" in query else ""
        yield NeededRight(
            "s3:AbortMultipartUpload" if "uploadId" in query else f"s3:DeleteObject{version}", arn
        )
    else:
        raise call.not_mapped()


def _of_bucket(call: Call, arn: str) -> NeededRight:
    subresources = [name for name in call.query if not _NOT_A_SUBRESOURCE.fullmatch(name.lower())]
    if call.method == "HEAD" or (call.method == "GET" and not subresources):
        names = {"prefix": "s3:prefix", "delimiter": "s3:delimiter"}
        return NeededRight(
            "s3:ListBucket",
            arn,
            {names[name]: value for name, value in call.query.items() if name in names},
        )
    known = [name for name in subresources if name in _BUCKET]
    if call.method == "GET" and known:
        return NeededRight(f"s3:{_BUCKET[known[0]]}", arn)
    raise call.not_mapped()
