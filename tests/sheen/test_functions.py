"""What the command learns from a function that refuses or fails."""

import io
import json
from typing import Any

import pytest

from chalicelib.apps.errors import NoSuchApp
from chalicelib.aws import clients
from chalicelib.configuration.deployment import Settings
from chalicelib.configuration.errors import BadAppSetting
from chalicelib.errors import SheenError
from sheen import functions
from sheen.__main__ import main
from tests.chalicelib.aws_in_process import ENVIRONMENT


def answering(monkeypatch: pytest.MonkeyPatch, kind: str, message: str) -> Settings:
    """Let every function end with an error of a kind."""

    class Lambda:
        def invoke(self, **_: Any) -> dict[str, Any]:
            payload = json.dumps({"errorType": kind, "errorMessage": message}).encode()
            return {"FunctionError": "Unhandled", "Payload": io.BytesIO(payload)}

    monkeypatch.setattr(clients, "client", lambda name: Lambda())
    return Settings.from_environment(ENVIRONMENT)


@pytest.mark.parametrize("error", [NoSuchApp, BadAppSetting])
def test_a_refusal_is_the_error_that_the_function_raised(
    error: type[SheenError], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = answering(monkeypatch, error.__name__, "why")
    with pytest.raises(error, match=r"^why$"):
        functions.call(settings, "app_configure", {})


@pytest.mark.parametrize("kind", ["Runtime.ExitError", "KeyError", "SheenError"])
def test_any_other_error_is_a_failure_of_the_function(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = answering(monkeypatch, kind, "")
    with pytest.raises(functions.FunctionFailed, match="its log says why"):
        functions.call(settings, "app_configure", {})


def test_the_exit_status_says_of_which_family_the_error_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(_arguments: object) -> int:
        raise NoSuchApp("no app at /x")

    monkeypatch.setattr("sheen.__main__.act", refuse)
    assert main(["versions", "/x"]) == NoSuchApp.exit_status == 3
    assert capsys.readouterr().err == "sheen: no app at /x\n"
