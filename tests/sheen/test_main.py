"""How the command ends."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sheen.__main__ import main, of_a_file

TREE = Path(__file__).resolve().parents[2]


def test_a_reader_that_has_read_enough_is_no_error_to_be_told() -> None:
    reader = subprocess.Popen(["true"], stdin=subprocess.PIPE)
    reader.wait()
    listing = (
        "import sys; from unittest import mock; from sheen import __main__; from "
        "sheen.console import say\n"
    )
    listing += (
        "with mock.patch.object(__main__, 'act', lambda _arguments: say('x')): "
        "sys.exit(__main__.main(['apps']))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", listing],
        stdout=reader.stdin,
        stderr=subprocess.PIPE,
        check=False,
        timeout=60,
    )
    assert (ended.returncode, ended.stderr) == (1, b"")


def ended(folder: Path, *arguments: str, **variables: str) -> tuple[int, str]:
    """Run the command in a folder, without a terminal; return its exit status and what it said."""
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("SHEEN_", "AWS_"))
    }
    path = os.pathsep.join(map(str, (TREE, TREE / "chalice_app", TREE / "workers")))
    environment = kept | {"PYTHONPATH": path} | variables
    result = subprocess.run(
        [sys.executable, "-m", "sheen", *arguments], cwd=folder, env=environment, stdin=subprocess.DEVNULL,  # noqa: E501
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    return result.returncode, result.stdout + result.stderr


AT = (
    "versions",
    "rollback",
    "redeploy",
    "download",
    "configure",
    "archive",
    "restore",
    "delete",
    "restart",
    "logs",
)
EVERY_COMMAND = (
    ("publish", "."),
    *((command, "/x") for command in AT),
    ("run", "/x", "a.R"),
    *((command,) for command in ("apps", "status", "sync", "syncs", "env")),
)


@pytest.mark.parametrize("damage", ["none ran", "another file", "damaged", "of a wrong type"])
def test_without_a_deployment_every_command_ends_in_one_sentence(
    damage: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name in [name for name in os.environ if name.startswith("SHEEN_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("SHEEN_DATA", str(tmp_path / "data"))
    if damage == "another file":
        (tmp_path / "data").write_text("a file")
    elif damage != "none ran":
        (tmp_path / "data").mkdir()
        (tmp_path / "data" / "environment.json").write_text("{" if damage == "damaged" else "[1]")
    for arguments in EVERY_COMMAND:
        assert main(arguments) == 1
        said = capsys.readouterr().err
        assert said.startswith("sheen: ") and said.count("\n") == 1, arguments
        assert str(tmp_path / "data") in said


def test_no_stack_that_runs_is_said_and_not_traced(tmp_path: Path) -> None:
    nobody = {
        "SHEEN_BUCKET": "b",
        "SHEEN_TABLE_PREFIX": "p-",
        "SHEEN_URL": "http://127.0.0.1:9",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
    }
    nobody |= {
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "a",
        "AWS_SECRET_ACCESS_KEY": "b",
        "AWS_MAX_ATTEMPTS": "1",
    }
    status, said = ended(
        tmp_path, "versions", "/x", SHEEN_WEBSOCKET_URL="ws://127.0.0.1:9/socket", **nobody
    )
    assert status == 1 and said.startswith("sheen: AWS does not answer"), said


def test_a_file_that_cannot_be_used_is_named_with_the_way_out() -> None:
    assert of_a_file(PermissionError(errno.EACCES, "Permission denied", "/x/y")) == (
        "/x/y: Permission denied; name another, or change who may use it"
    )
    assert of_a_file(OSError(errno.ENOSPC, "No space left on device")).endswith(
        "set TMPDIR to a folder that has some"
    )
    assert of_a_file(OSError("odd")).startswith("odd; ")
