"""What the state machines need around them: moto's engine with the adaptations of the local stack,
Lambda that runs the functions in this process, and an ECS whose tasks are what a test says."""

import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from unittest.mock import patch
from urllib.parse import unquote

import boto3

import app as lambdas
from chalicelib.aws import clients
from chalicelib.aws.tables import bind
from chalicelib.configuration.deployment import Settings
from chalicelib.lambdas.environment import Environment
from chalicelib.lambdas.schema import TABLES
from tests.chalicelib.aws_in_process import BUCKET, ENVIRONMENT
from tests.chalicelib.proxy_events import Context
from tests.support.connections import forget_connections

ROOT = Path(__file__).parents[2]
FUNCTION_PREFIX = "sheen-test-"
ROLE = "arn:aws:iam::123456789012:role/sheen-test"


class _UnixConnection(HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=30)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.connect(self._path)


class Services(ThreadingHTTPServer):
    """One endpoint for all of AWS. ``run_task`` is called with RunTask's parameters, in a thread of
    its own.
    """

    daemon_threads = True

    def __init__(self, moto: str) -> None:
        self.moto = moto
        self.run_task: Callable[[dict[str, Any]], object] = lambda parameters: None
        self.tasks: list[dict[str, Any]] = []
        self.stopped: list[str] = []
        self.datasync: Callable[[str, dict[str, Any]], dict[str, Any]] = (
            lambda operation, parameters: {}
        )
        """Answers DataSync's operations."""
        self.told: list[tuple[str, bytes]] = []
        """What was posted to which connection."""
        self.fail_run_task = 0
        """How often RunTask is refused before it runs one."""
        self.no_capacity = 0
        """How often RunTask finds no room before it runs one: an answer like any other, but without
        a task.
        """
        self.fail_functions: dict[str, int] = {}
        """Function → how often it fails with a service error before it runs."""
        self.lose_answers: dict[str, int] = {}
        """Function → how often it runs, and nobody gets its answer."""
        self.after: dict[str, Callable[[], None]] = {}
        """Function → what happens when it has run, before its answer is there."""
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def invoke(self, function: str, payload: bytes) -> tuple[int, dict[str, str], bytes]:
        if self.fail_functions.get(function, 0) > 0:
            self.fail_functions[function] -= 1
            return 500, {"x-amzn-ErrorType": "ServiceException"}, b'{"Message": "try again"}'
        handler = getattr(lambdas, function)
        try:
            answer = json.dumps(handler(json.loads(payload), Context())).encode()
            self.after.get(function, lambda: None)()
            if self.lose_answers.get(function, 0) > 0:
                self.lose_answers[function] -= 1
                return (
                    500,
                    {"x-amzn-ErrorType": "ServiceException"},
                    b'{"Message": "its answer was lost"}',
                )
            return 200, {}, answer
        except Exception as error:
            body = {"errorMessage": str(error), "errorType": type(error).__name__, "stackTrace": []}
            return 200, {"X-Amz-Function-Error": "Unhandled"}, json.dumps(body).encode()

    def ecs(self, operation: str, parameters: dict[str, Any]) -> dict[str, Any]:
        if operation == "RunTask":
            if self.fail_run_task > 0:
                self.fail_run_task -= 1
                return {"__type": "ClientException", "message": "no room"}
            if self.no_capacity > 0:
                self.no_capacity -= 1
                return {
                    "tasks": [],
                    "failures": [{"reason": "Capacity is unavailable at this time."}],
                }
            self.tasks.append(parameters)
            threading.Thread(target=self.run_task, args=(parameters,), daemon=True).start()
            return {"tasks": [{"taskArn": f"task/{len(self.tasks)}"}], "failures": []}
        if operation == "ListTasks":
            mine = [
                n
                for n, task in enumerate(self.tasks, 1)
                if task.get("startedBy") == parameters.get("startedBy")
            ]
            return {"taskArns": [f"task/{n}" for n in mine if f"task/{n}" not in self.stopped]}
        assert operation == "StopTask", operation
        self.stopped.append(parameters["task"])
        return {"task": {"taskArn": parameters["task"]}}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Services

    def _do(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        scope = self.headers.get("authorization", "").split(",")[0].split("/")
        service = scope[-2] if len(scope) >= 5 else "s3"
        if "/@connections/" in self.path:
            self.server.told.append((self.path.rpartition("/")[2], body))
            headers: dict[str, str] = {}
            status, answer = 200, b""
        elif service == "lambda":
            function = (
                unquote(self.path)
                .split("/functions/")[1]
                .split("/")[0]
                .rpartition(":")[2]
                .removeprefix(FUNCTION_PREFIX)
            )
            status, headers, answer = self.server.invoke(function, body)
        elif service in ("ecs", "datasync"):
            operation = self.headers["x-amz-target"].rpartition(".")[2]
            answer_to = self.server.ecs if service == "ecs" else self.server.datasync
            said = answer_to(operation, json.loads(body))
            status, headers, answer = (
                400 if "__type" in said else 200,
                {},
                json.dumps(said).encode(),
            )
        else:
            status, headers, answer = self._pass_on(body)
        self.send_response(status)
        for name, value in {"x-amzn-RequestId": "00000000-0000", **headers}.items():
            if name.lower() not in (
                "content-length",
                "transfer-encoding",
                "connection",
                "date",
                "server",
            ):
                self.send_header(name, value)
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer)

    def _pass_on(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
        connection = _UnixConnection(self.server.moto)
        connection.request(self.command, self.path, body, dict(self.headers.items()))
        response = connection.getresponse()
        answer = response.status, dict(response.getheaders()), response.read()
        connection.close()
        return answer

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = _do  # noqa: N815

    def log_message(self, *args: Any) -> None:
        pass


@contextmanager
def services() -> Iterator[Services]:
    """Start it all, with Sheen's tables and bucket."""
    with tempfile.TemporaryDirectory() as folder:
        moto = str(Path(folder) / "moto.sock")
        server = Services(moto)
        environment = {**os.environ, **ENVIRONMENT, "PYTHONPATH": f"{ROOT}:{ROOT}/chalice_app"}
        process = subprocess.Popen(
            [sys.executable, "-m", "infra.emulator.moto.process", moto],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps({"endpoint": server.url, "keys": {ROLE: ["test", "test"]}}))
        process.stdin.close()
        thread = threading.Thread(
            target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        )
        thread.start()
        here = lambdas.here
        try:
            assert process.stdout.readline().strip() == "ready"
            with patch.dict(
                "os.environ",
                {
                    **ENVIRONMENT,
                    "AWS_ENDPOINT_URL": server.url,
                    "SHEEN_CONNECTIONS_URL": f"{server.url}/socket",
                },
            ):
                clients.client.cache_clear()
                bind(Settings.from_environment(), *TABLES)
                forget_connections(*TABLES)
                for table in TABLES:
                    table.create_table(wait=True, billing_mode="PAY_PER_REQUEST")
                boto3.client("s3").create_bucket(Bucket=BUCKET)
                lambdas.here = Environment()
                yield server
        finally:
            lambdas.here = here
            forget_connections(*TABLES)
            clients.client.cache_clear()
            process.kill()
            process.wait()
            process.stdout.close()
            server.shutdown()
            server.server_close()


def state_machine(
    name: str, quicker: dict[str, int] | None = None, called: str | None = None
) -> str:
    """Make the state machine of ``statemachines/<name>.asl.json``; ``quicker`` replaces heartbeats
    by state, and pauses before a repeat are a second. It is ``called`` so where functions are to
    find it. Return its ARN."""
    definition = json.loads((ROOT / "statemachines" / f"{name}.asl.json").read_text())
    for state, seconds in (quicker or {}).items():
        definition["States"][state]["HeartbeatSeconds"] = seconds
    for retrier in (
        retrier for state in definition["States"].values() for retrier in state.get("Retry", [])
    ):
        if retrier.get("MaxAttempts"):
            retrier.update(IntervalSeconds=1, BackoffRate=1.0)
    text = json.dumps(definition)

    def arn(match: re.Match[str]) -> str:
        function = re.sub(r"(?<!^)([A-Z])", r"_\1", match[1]).lower()
        return f"arn:aws:lambda:us-east-1:123456789012:function:{FUNCTION_PREFIX}{function}"

    text = re.sub(r"\$\{(\w+)Function\}", arn, text)
    text = re.sub(r"\$\{(\w+)StateMachine\}", lambda match: state_machine(match[1].lower()), text)
    for word in (
        "AgentFamily",
        "BuildTaskDefinition",
        "CopyTaskDefinition",
        "RemoveTaskDefinition",
        "InstanceCapacity",
        "Stage",
    ):
        text = text.replace(f"${{{word}}}", f"the-{word}")
    assert "${" not in text
    made = boto3.client("stepfunctions").create_state_machine(
        name=called or f"sheen-test-{name}-{os.urandom(4).hex()}", definition=text, roleArn=ROLE
    )
    return str(made["stateMachineArn"])
