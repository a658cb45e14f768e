"""The command ends in a sentence, whatever AWS says or does not say."""

import os
import socket
import subprocess
import sys

import pytest
from boto3.exceptions import S3UploadFailedError
from botocore.exceptions import (
    ClientError,
    EndpointConnectionError,
    NoCredentialsError,
    ReadTimeoutError,
)
from pynamodb.exceptions import PutError, ScanError

from sheen.aws_errors import sentence
from tests.support.stack import TREE


def refusal(code: str, message: str = "no\n") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, "Invoke")


def wrapped() -> S3UploadFailedError:
    """As boto3 raises it."""
    try:
        raise refusal("ExpiredToken", "The provided token has expired.")
    except ClientError:
        try:
            raise S3UploadFailedError("Failed to upload a.zip")
        except S3UploadFailedError as error:
            return error


@pytest.mark.parametrize(
    ("error", "what", "way_out"),
    [
        (
            EndpointConnectionError(endpoint_url="http://x/"),
            'does not answer: Could not connect to the endpoint URL: "http://x/"',
            "make run",
        ),
        (ReadTimeoutError(endpoint_url="http://x/"), "does not answer: Read timeout", "try again"),
        (
            ScanError("no", EndpointConnectionError(endpoint_url="http://x/")),
            "does not answer: Could not connect",
            "make run",
        ),
        (NoCredentialsError(), "was not asked: Unable to locate credentials; ", "AWS_PROFILE"),
        (
            refusal("ExpiredTokenException"),
            "refused Invoke: ExpiredTokenException: no; ",
            "sign in anew",
        ),
        (
            wrapped(),
            "refused Invoke: ExpiredToken: The provided token has expired.; ",
            "sign in anew",
        ),
        (
            refusal("AccessDeniedException"),
            "refused Invoke: AccessDeniedException: no; ",
            "operator",
        ),
        (
            PutError("no", refusal("ThrottlingException")),
            "refused Invoke: ThrottlingException: no; ",
            "in a minute",
        ),
        (
            refusal("ResourceNotFoundException"),
            "refused Invoke: ResourceNotFoundException: no; ",
            "SHEEN_TABLE_PREFIX",
        ),
        (refusal("InternalFailure"), "refused Invoke: InternalFailure: no; ", "try again"),
        (ScanError("it failed"), "failed: it failed; ", "try again"),
    ],
)
def test_each_error_is_one_line_with_a_way_out(error: Exception, what: str, way_out: str) -> None:
    told = sentence(error)
    assert told.startswith(f"AWS {what}")
    assert way_out in told
    assert "\n" not in told


@pytest.mark.parametrize("words", [["apps"], ["archive", "/x"]])
def test_with_nothing_listening_the_command_says_so_and_fails(words: list[str]) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        environment = {
            "PATH": os.environ["PATH"],
            "SHEEN_BUCKET": "b",
            "SHEEN_TABLE_PREFIX": "p-",
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{closed.getsockname()[1]}",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "AKIANOBODY",
            "AWS_SECRET_ACCESS_KEY": "x",
        }
        ended = subprocess.run(
            [sys.executable, "-m", "sheen", *words],
            cwd=TREE,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    assert ended.returncode == 1
    assert ended.stderr.startswith("sheen: AWS does not answer: Could not connect")
    assert ended.stderr.count("\n") == 1
