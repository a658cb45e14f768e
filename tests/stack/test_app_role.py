"""An app with a role of its own has what the role's policy allows, by the way that every SDK knows;
an app without has nothing.
"""

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from botocore.exceptions import ClientError

from tests.support.stack import TREE, StackProcess
from tests.support.waiting import until

pytestmark = pytest.mark.stack

EVALUATES = TREE / "tests" / "workers" / "apps" / "intruder"
FETCHES = """
paste(readLines(url(Sys.getenv("AWS_CONTAINER_CREDENTIALS_FULL_URI"),
                    headers = c(Authorization = Sys.getenv("AWS_CONTAINER_AUTHORIZATION_TOKEN"))), warn = FALSE), collapse = "")
"""  # noqa: E501


def ask(stack: StackProcess, location: str, code: str) -> Any:
    value = json.loads(stack.get(f"{location}/?r={quote(code)}", timeout=60).body)["value"]
    return value[0] if isinstance(value, list) and len(value) == 1 else value


def test_r_gets_the_credentials_of_its_apps_role_and_these_may_what_the_roles_policy_says(
    stack: StackProcess,
) -> None:
    bucket = stack.environment()["SHEEN_BUCKET"]
    admin = stack.client("s3")
    admin.put_object(Bucket=bucket, Key="data/role/a.txt", Body=b"for the role")
    statement = {
        "Sid": "Read",
        "Effect": "Allow",
        "Action": "s3:GetObject",
        "Resource": f"arn:aws:s3:::{bucket}/data/role/*",
    }
    (stack.data / "roles" / "with-role").mkdir(parents=True)
    (stack.data / "roles" / "with-role" / "reader.json").write_text(
        json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    )
    stack.publish(EVALUATES, "/with-role", role="with-role/reader")
    stack.wake_json("/with-role/?r=1")
    given = json.loads(ask(stack, "/with-role", FETCHES))
    assert given["RoleArn"].endswith(":role/sheen-local/with-role/reader")
    assert ask(stack, "/with-role", 'Sys.getenv("AWS_REGION")') == "us-east-1"
    keys = {
        "aws_access_key_id": given["AccessKeyId"],
        "aws_secret_access_key": given["SecretAccessKey"],
        "aws_session_token": given["Token"],
    }
    s3 = stack.client("s3", **keys)
    assert s3.get_object(Bucket=bucket, Key="data/role/a.txt")["Body"].read() == b"for the role"
    refused_calls: tuple[Callable[[], object], ...] = (
        lambda: s3.put_object(Bucket=bucket, Key="data/role/a.txt", Body=b""),
        lambda: stack.client("dynamodb", **keys).scan(TableName="sheen-local-apps"),
        lambda: stack.client("sts", **keys).assume_role(
            RoleArn=given["RoleArn"], RoleSessionName="again"
        ),
    )
    for refused in refused_calls:
        with pytest.raises(ClientError, match="AccessDenied"):
            refused()

    stack.publish(EVALUATES, "/without-role")
    stack.wake_json("/without-role/?r=1")
    assert ask(stack, "/without-role", 'sum(startsWith(names(Sys.getenv()), "AWS_"))') == 0


def test_a_role_that_is_not_there_fails_the_start_with_its_name_for_the_author(
    stack: StackProcess,
) -> None:
    stack.publish(EVALUATES, "/no-role", role="no-role/not-there")
    stack.get("/no-role/", {"accept": "text/html"})
    stopped = until(
        lambda: (row := stack.instance_of("/no-role")) and row["state"] == "STOPPED" and row,
        60,
        "the start to fail",
    )
    assert "role/sheen-local/no-role/not-there: there is none of that name" in str(
        stopped["failure"]
    )
