"""What the targets of the Makefile tell an operator."""

import pytest

from infra.aws.__main__ import env
from infra.aws.deploy import Aws
from infra.aws.settings import load

KNOWN = {"Account": "123456789012", "RestApi": "r1", "WebsocketApi": "w1"}


def test_what_env_prints_tells_awscli_and_boto3_the_region(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Aws, "begin", lambda _aws: KNOWN)
    monkeypatch.setattr(Aws, "look", lambda _aws, known: known)
    env(load("prod"))
    lines = capsys.readouterr().out.splitlines()
    assert {"export AWS_REGION=eu-central-1", "export AWS_DEFAULT_REGION=eu-central-1"} <= set(
        lines
    )
    assert "export SHEEN_URL=https://r1.execute-api.eu-central-1.amazonaws.com/__live" in lines
    assert any(line.startswith("export SHEEN_BUCKET=") for line in lines)
