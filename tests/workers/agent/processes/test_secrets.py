"""Secrets: read by name, missing ones told by name, values nowhere but in R's environment."""

from collections import Counter
from collections.abc import Iterator

import boto3
import pytest

from agent.failure import AppStartFailed
from agent.processes import secrets
from tests.chalicelib.aws_in_process import aws_in_process


@pytest.fixture(scope="module")
def services() -> Iterator[Counter[str]]:
    with aws_in_process() as calls:
        manager = boto3.client("secretsmanager")
        manager.create_secret(Name="sheen-test/sales/db", SecretString="hush\nÄ=%")
        manager.create_secret(Name="sheen-test/sales/binary", SecretBinary=b"\0\1")
        manager.create_secret(Name="sheen-test/sales/nul", SecretString="a\0b")
        manager.create_secret(Name="elsewhere", SecretString="not this deployment's")
        manager.create_secret(Name="sheen-test/sales/leaving", SecretString="x")
        manager.delete_secret(SecretId="sheen-test/sales/leaving")
        yield calls


@pytest.mark.usefixtures("services")
async def test_values_come_by_the_variables_names() -> None:
    assert await secrets.resolve(
        {"DB_PASSWORD": "sales/db", "AGAIN": "sales/db"}, "sheen-test/", "/sales"
    ) == {
        "DB_PASSWORD": "hush\nÄ=%",
        "AGAIN": "hush\nÄ=%",
    }
    assert await secrets.resolve({}, "sheen-test/", "/sales") == {}


@pytest.mark.usefixtures("services")
@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("sales/nope", "there is none of that name"),
        ("sales/elsewhere", "there is none of that name"),
        ("sales/leaving", "it is being deleted"),
        ("sales/binary", "it is binary, and a variable is text"),
        ("sales/nul", "it has a NUL in it, which no variable can have"),
    ],
)
async def test_a_secret_that_cannot_be_had_fails_the_start_and_says_which(
    name: str, why: str, caplog: pytest.LogCaptureFixture, tmp_path: object
) -> None:
    with pytest.raises(AppStartFailed) as caught:
        await secrets.resolve({"GOOD": "sales/db", "BAD": name}, "sheen-test/", "/sales")
    assert str(caught.value) == "A secret that the app needs cannot be read.", (
        "visitors are told no names"
    )
    assert caught.value.said.startswith(f"secret sheen-test/{name} (for BAD): {why}")
    assert "hush" not in caught.value.said + caplog.text


@pytest.mark.usefixtures("services")
async def test_a_secret_of_another_app_is_not_read() -> None:
    with pytest.raises(AppStartFailed) as caught:
        await secrets.resolve({"DB_PASSWORD": "sales/db"}, "sheen-test/", "/thief")
    assert str(caught.value) == "A secret that the app needs cannot be read.", (
        "visitors are told no names"
    )
    assert (
        'the secret "sales/db" (for DB_PASSWORD) is not for the app at /thief' in caught.value.said
    )
