"""Our presigned URLs are botocore's."""

import datetime
from unittest.mock import patch

import pytest
from botocore.auth import S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from chalicelib.aws import sigv4
from chalicelib.bodies.presign import Signing, presigned

NOW = 1_800_000_000.0


@pytest.mark.parametrize("token", [None, "a/token+with=odd characters"])
@pytest.mark.parametrize(
    ("method", "query", "headers"),
    [
        ("GET", {}, {}),
        ("PUT", {"partNumber": "7", "uploadId": "a~b/c d"}, {"content-length": "8388608"}),
    ],
)
def test_as_botocore_signs_them(
    token: str | None, method: str, query: dict[str, str], headers: dict[str, str]
) -> None:
    url = "http://127.0.0.1:8000/sheen-local/bodies/a1.v1/0/c0ffee/answers/t~x_y-z/a.csv"
    request = AWSRequest(method, url, params=query, headers=headers)
    with patch(
        "botocore.auth.get_current_datetime",
        return_value=datetime.datetime.fromtimestamp(NOW, datetime.UTC),
    ):
        auth = S3SigV4QueryAuth(
            Credentials("AKIA", "secret", token), "s3", "us-east-1", expires=900
        )
        auth.add_auth(request)
    theirs = request.url
    ours = presigned(
        method,
        url,
        Signing("us-east-1", sigv4.Credentials("AKIA", "secret", token)),
        NOW,
        900,
        query,
        headers,
    )
    assert ours.rpartition("=")[2] == theirs.rpartition("=")[2]
    assert sorted(ours.partition("?")[2].split("&")) == sorted(theirs.partition("?")[2].split("&"))
