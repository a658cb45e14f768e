"""The stack's own life: it says why it cannot start, keeps what was published, and leaves no
process behind.
"""

import json
import os
import signal
import socket
import stat
from pathlib import Path
from typing import Any

import pytest

from tests.infra.emulator.ecs.tiny_tasks import run, said
from tests.infra.tiny_process import TinyStack
from tests.support.stack import free_port
from tests.support.waiting import until


def busy(stack: TinyStack) -> None:
    """Have a warm function and a task with a family."""
    stack.invoke("echo")
    task = run(stack, "family")
    said(stack, task["taskArn"], "doing family")
    assert len(stack.processes()) >= 4


def until_none(stack: TinyStack) -> None:
    """Wait until it has no process."""
    until(lambda: not stack.processes(), what="all its processes to be gone")


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_it_stops_at_a_signal_and_leaves_no_process(own_tiny: TinyStack, how: int) -> None:
    own_tiny.start()
    busy(own_tiny)
    assert own_tiny.stop(how) == 0
    until_none(own_tiny)


def test_it_stops_at_a_signal_while_it_starts(own_tiny: TinyStack) -> None:
    process = own_tiny.launch()
    until(
        lambda: "moto is up" in own_tiny.said() or "packaging" in own_tiny.said(),
        what="the start to have begun",
    )
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 1
    assert "stopped before the local stack was up" in own_tiny.said()
    assert "Traceback" not in own_tiny.said()
    until_none(own_tiny)


def test_it_ends_with_a_message_when_moto_ends(own_tiny: TinyStack) -> None:
    own_tiny.start()
    assert own_tiny.process is not None
    for pid in own_tiny.processes():
        if b"infra.emulator.moto.process" in Path(f"/proc/{pid}/cmdline").read_bytes():
            os.kill(pid, signal.SIGKILL)
    assert own_tiny.process.wait(60) == 1
    assert f"moto has ended: see {own_tiny.data / 'logs' / 'moto.log'}" in own_tiny.said()


def test_a_killed_stack_leaves_no_process(own_tiny: TinyStack) -> None:
    own_tiny.start()
    busy(own_tiny)
    own_tiny.stop(signal.SIGKILL)
    until_none(own_tiny)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_what_was_published_survives(own_tiny: TinyStack, how: int) -> None:
    own_tiny.start()
    s3, table = own_tiny.client("s3"), own_tiny.client("dynamodb")
    content = os.urandom(6_000_000)
    s3.put_object(
        Bucket="tiny-local",
        Key="in/big ä",
        Body=content,
        ContentType="application/zip",
        Metadata={"who": "me"},
    )
    s3.put_object(Bucket="tiny-local", Key="passing/by", Body=content)
    s3.put_object(Bucket="tiny-local", Key="gone", Body=b"x")
    s3.delete_object(Bucket="tiny-local", Key="gone")
    s3.put_object(Bucket="tiny-local", Key="gone/too", Body=b"x")
    s3.delete_objects(Bucket="tiny-local", Delete={"Objects": [{"Key": "gone/too"}]})
    for n in range(30):
        table.put_item(
            TableName="tiny-local-kept",
            Item={"k": {"S": f"k{n}"}, "b": {"B": b"\0\xff"}, "m": {"M": {"x": {"NULL": True}}}},
        )
    table.delete_item(TableName="tiny-local-kept", Key={"k": {"S": "k7"}})
    table.put_item(TableName="tiny-local-things", Item={"k": {"S": "forgotten"}})
    secrets = own_tiny.client("secretsmanager")
    for name in ("tiny-local/db", "tiny-local/gone"):
        secrets.create_secret(Name=name, SecretString="before")
    secrets.put_secret_value(SecretId="tiny-local/db", SecretString="hush ä")
    secrets.delete_secret(SecretId="tiny-local/gone", ForceDeleteWithoutRecovery=True)
    if how == signal.SIGKILL:  # a moment after the last write
        until(
            lambda: _kept(own_tiny) == (1, {f"k{n}" for n in range(30)} - {"k7"}, ["hush ä"]),
            what="all to be on disk",
        )
    own_tiny.stop(how)
    own_tiny.notes_path.unlink(missing_ok=True)
    own_tiny.start()
    s3, table = own_tiny.client("s3"), own_tiny.client("dynamodb")
    assert [entry["Key"] for entry in s3.list_objects_v2(Bucket="tiny-local")["Contents"]] == [
        "in/big ä"
    ]
    found = s3.get_object(Bucket="tiny-local", Key="in/big ä")
    assert found["Body"].read() == content
    assert (found["ContentType"], found["Metadata"]) == ("application/zip", {"who": "me"})
    items = {item["k"]["S"]: item for item in table.scan(TableName="tiny-local-kept")["Items"]}
    assert items.keys() == {f"k{n}" for n in range(30)} - {"k7"}
    assert items["k0"] == {
        "k": {"S": "k0"},
        "b": {"B": b"\0\xff"},
        "m": {"M": {"x": {"NULL": True}}},
    }
    assert table.scan(TableName="tiny-local-things")["Count"] == 0
    secrets = own_tiny.client("secretsmanager")
    assert [secret["Name"] for secret in secrets.list_secrets()["SecretList"]] == ["tiny-local/db"]
    assert secrets.get_secret_value(SecretId="tiny-local/db")["SecretString"] == "hush ä"
    assert stat.S_IMODE((own_tiny.data / "secrets.json").stat().st_mode) == 0o600
    executions: list[Any] = own_tiny.client("stepfunctions").list_executions(
        stateMachineArn="arn:aws:states:us-east-1:123456789012:stateMachine:tiny-local-uploads"
    )["executions"]
    assert executions == []  # what is restored is no event
    assert own_tiny.notes("record") == []


def _kept(stack: TinyStack) -> tuple[int, set[str], list[str]]:
    secrets = stack.data / "secrets.json"
    table = stack.data / "dynamodb" / "tiny-local-kept.jsonl"
    items = (
        {json.loads(line)["k"]["S"] for line in table.read_text().splitlines()}
        if table.exists()
        else set()
    )
    values = (
        [secret["SecretString"] for secret in json.loads(secrets.read_text())]
        if secrets.exists()
        else []
    )
    return len(list((stack.data / "s3").glob("*.json"))), items, values


def test_keys_stay_the_same_over_a_restart(own_tiny: TinyStack) -> None:
    own_tiny.start()
    before = own_tiny.environment()
    own_tiny.stop()
    own_tiny.start()
    assert own_tiny.environment() == before


def test_a_port_in_use_is_named_with_the_way_out(own_tiny: TinyStack) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", own_tiny.port))
        listener.listen()
        assert own_tiny.launch().wait(60) == 1
    assert f"port {own_tiny.port} is in use" in own_tiny.said()
    assert "SHEEN_PORT" in own_tiny.said()
    assert "Traceback" not in own_tiny.said()


def test_a_second_stack_on_the_same_data_is_refused(own_tiny: TinyStack) -> None:
    own_tiny.start()
    second = TinyStack(own_tiny.folder, free_port())
    second.output = own_tiny.folder / "second"
    assert second.launch().wait(60) == 1
    assert own_tiny.process is not None
    assert (
        f"another local stack (process {own_tiny.process.pid}) uses {own_tiny.data}"
        in second.said()
    )
    assert own_tiny.invoke("echo", 1)["event"] == 1


def test_a_data_folder_that_cannot_be_written_is_named(own_tiny: TinyStack) -> None:
    own_tiny.data.write_text("a file")
    assert own_tiny.launch().wait(60) == 1
    assert f"cannot write to {own_tiny.data}" in own_tiny.said() and "SHEEN_DATA" in own_tiny.said()


def test_a_substitution_that_nothing_declares_is_named(own_tiny: TinyStack) -> None:
    machine = own_tiny.project / "uploads.asl.json"
    machine.write_text(machine.read_text().replace('"Pass"', '"Pass", "Comment": "${Unheard}"'))
    assert own_tiny.launch().wait(60) == 1
    assert "uploads.asl.json: nothing is called Unheard" in own_tiny.said()
    until_none(own_tiny)


def test_an_app_that_cannot_be_packaged_is_shown(own_tiny: TinyStack) -> None:
    (own_tiny.project / "app.py").write_text("import nothing_of_the_kind")
    assert own_tiny.launch().wait(60) == 1
    assert "nothing_of_the_kind" in own_tiny.said()
    until_none(own_tiny)
