"""What ``sheen user`` takes and does, on true rows."""

import argparse
import io
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chalicelib.configuration.deployment import Settings
from chalicelib.identity import passwords, users
from chalicelib.identity.errors import BadUser, NoSuchUser, UserExists
from chalicelib.identity.passwords import PasswordHash
from sheen import users as command
from sheen.__main__ import parser
from tests.chalicelib.aws_in_process import aws_in_process, empty_tables

LINES = Path(__file__).parents[1] / "chalicelib" / "identity" / "sspasswd_lines.txt"


@pytest.fixture(scope="module")
def tables() -> Iterator[Counter[str]]:
    with aws_in_process() as calls:
        yield calls


@pytest.fixture(autouse=True)
def told(tables: Counter[str], monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """No users, cheap hashes; return the logins whose sessions were ended."""
    empty_tables()
    ended: list[list[str]] = []

    def call(settings: Settings, function: str, event: dict[str, Any]) -> bytes:
        assert function == "logins_end"
        ended.append(event["logins"])
        return b"{}"

    monkeypatch.setattr(command, "call", call)
    monkeypatch.setattr(passwords, "LOG_N", 8)
    return ended


def run(*words: str, typed: str = "") -> int:
    arguments: argparse.Namespace = parser().parse_args(["user", *words])
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("sys.stdin", io.StringIO(typed))
        return command.act(Settings.from_environment(), arguments)


def test_a_user_is_added_with_what_is_read_and_never_with_what_is_an_argument() -> None:
    run("add", "kim", "--group", "sales", "--role", "publisher", typed="long enough\nmore")
    kim = users.get("kim")
    assert (kim.role, kim.groups, kim.locked) == ("publisher", ["sales"], False)
    assert passwords.is_right("long enough", PasswordHash.parse(str(kim.password)))
    with pytest.raises(UserExists):
        run("add", "kim", typed="long enough\n")
    with pytest.raises(SystemExit):
        run("add", "tom", "a password")
    for name, typed in (("**", "long enough"), ("a:b", "long enough"), ("tom", "short")):
        with pytest.raises(BadUser):
            run("add", name, typed=typed)
    assert [user.name for user in users.everyone()] == ["kim"]


def test_a_file_is_imported_and_each_refused_line_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "passwd"
    file.write_text("".join(line.split("\t")[0] + "\n" for line in LINES.read_text().splitlines()))
    assert run("import", str(file), "--groups", "kim=sales,it") == 1
    assert [user.name for user in users.everyone()] == ["bad5", "kim", "sarah.o@example.org", "tom"]
    assert users.get("kim").groups == ["sales", "it"]
    said = capsys.readouterr().out
    assert [line.split(":")[1] for line in said.splitlines()[:-1]] == [
        "4",
        "5",
        "6",
        "8",
        "9",
        "10",
    ]
    assert "4 users were added, 0 were there already, 6 lines were refused" in said
    run("import", str(file))
    assert "0 users were added, 4 were there already" in capsys.readouterr().out
    assert users.get("kim").groups == ["sales", "it"]
    with pytest.raises(BadUser, match="nobody"):
        run("import", str(file), "--groups", "nobody=it")


def test_changes_are_seen_and_unknown_users_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    run("add", "kim", typed="long enough\n")
    run("role", "kim", "admin"), run("groups", "kim", "a", "b"), run("lock", "kim")
    capsys.readouterr()
    run("list")
    assert capsys.readouterr().out.splitlines()[1].split() == ["kim", "admin", "a,", "b", "locked"]
    run("unlock", "kim"), run("password", "kim", typed="another one\n")
    run("logins", "kim"), run("sign-out", "kim"), run("remove", "kim"), run("list")
    assert "no users yet" in capsys.readouterr().out
    for words in (("lock", "kim"), ("role", "kim", "viewer"), ("logins", "kim")):
        with pytest.raises(NoSuchUser):
            run(*words)
