"""A local stack of its own for the tests, started and used as people do: as a process, through its
URL and the command.
"""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3

from tests.support.waiting import until

TREE = Path(__file__).resolve().parents[2]
SHINY_EXAMPLES = Path("/usr/lib/R/site-library/shiny/examples")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class ControlConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=30)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(str(self.path))


@dataclass
class Answer:
    status: int
    headers: Any
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()


@dataclass
class StackProcess:
    """``python -m infra.local`` with a port and a data folder of its own."""

    data: Path
    port: int
    process: subprocess.Popen[bytes] | None = None
    repositories: str = ""
    """Where its builds get R packages: nowhere, unless said otherwise."""
    python_repositories: str = ""
    """Where its builds get Python packages, likewise."""
    spares: str = ""
    """How many spare instances it keeps, as in ``large=1``."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def efs(self) -> Path:
        """The folder that stands for the file system."""
        from infra.local.settings import LocalSettings

        return LocalSettings(data=self.data).efs

    @property
    def own_environment(self) -> dict[str, str]:
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("SHEEN_", "AWS_"))
        }
        return kept | {
            "SHEEN_PORT": str(self.port),
            "SHEEN_DATA": str(self.data),
            "SHEEN_REPOSITORIES": self.repositories,
            "SHEEN_PYTHON_REPOSITORIES": self.python_repositories,
            "SHEEN_SPARES": self.spares,
        }

    @property
    def log(self) -> Path:
        """The file of what the stack says."""
        return self.data.parent / f"{self.data.name}.log"

    def start(self, *extra: str, module: str = "infra.local") -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", module, *extra],
                cwd=TREE,
                env=self.own_environment,
                stdout=log,
                stderr=log,
            )
        try:
            until(
                lambda: self.is_up() and (self.data / "environment.json").exists(),
                within=180,
                what="the stack's health check",
            )
        except BaseException:
            self.stop()
            raise

    def is_up(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, (
            f"the stack ended; see {self.data.parent / (self.data.name + '.log')}"
        )
        try:
            return (
                self.get("/__health-check__", timeout=30).status == 200
                and (self.data / "environment.json").exists()
            )
        except OSError:
            return False

    def stop(self, how: int = signal.SIGINT) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(how)
            try:
                self.process.wait(40)
            except subprocess.TimeoutExpired:
                self.process.kill()
                raise

    def sheen(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run the command against this stack."""
        result = subprocess.run(
            [sys.executable, "-m", "sheen", *arguments], cwd=TREE, env=self.own_environment, capture_output=True, text=True,  # noqa: E501
            timeout=300, check=False,
        )  # fmt: skip
        if check and result.returncode:
            raise AssertionError(f"sheen {' '.join(arguments)}: {result.stdout}{result.stderr}")
        return result

    def publish(self, folder: Path, at: str, **settings: object) -> str:
        """Publish, set, and return the app's URL."""
        url = self.sheen("publish", str(folder), "--at", at).stdout.strip()
        if settings:
            self.sheen("configure", at, *(f"{name}={value}" for name, value in settings.items()))
        return url

    def get(self, path: str, headers: dict[str, str] | None = None, timeout: float = 60) -> Answer:
        return self.ask("GET", path, headers=headers, timeout=timeout)

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
        timeout: float = 60,
    ) -> Answer:
        """One request to the front, redirects not followed."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())
        finally:
            connection.close()

    def environment(self) -> dict[str, str]:
        """What ``sheen env`` exports."""
        return {
            k: str(v) for k, v in json.loads((self.data / "environment.json").read_text()).items()
        }

    def client(self, service: str, **keys: str) -> Any:
        """A boto3 client of this stack with its owner's keys, or with others."""
        variables = self.environment()
        owners = {
            "aws_access_key_id": variables["AWS_ACCESS_KEY_ID"],
            "aws_secret_access_key": variables["AWS_SECRET_ACCESS_KEY"],
        }
        return boto3.client(
            service,
            endpoint_url=variables["AWS_ENDPOINT_URL"],
            region_name=variables["AWS_DEFAULT_REGION"],
            **(owners | keys),
        )

    def control(self, method: str, path: str, body: object = None) -> Any:
        connection = ControlConnection(self.data / "run" / "control.sock")
        try:
            connection.request(
                method,
                path,
                json.dumps(body) if body is not None else None,
                {"content-type": "application/json"},
            )
            response = connection.getresponse()
            text = response.read()
            assert response.status < 300, text
            return json.loads(text) if text else None
        finally:
            connection.close()

    def counters(self) -> dict[str, Any]:
        """How often what was called since the start."""
        answer: dict[str, Any] = self.control("GET", "/counters")
        return answer

    def sweep(self) -> None:
        """Have the sweeper come now; raise what it raises."""
        event = {"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}, "account": "", "id": "", "time": "",  # noqa: E501
                 "region": "", "resources": [], "version": "0"}  # fmt: skip
        function = self.environment()["SHEEN_TABLE_PREFIX"] + "sweeper"
        answer = self.client("lambda").invoke(
            FunctionName=function, Payload=json.dumps(event).encode()
        )
        assert "FunctionError" not in answer, answer["Payload"].read()

    def instances(self) -> list[dict[str, Any]]:
        """The instance rows, plain."""
        from boto3.dynamodb.types import TypeDeserializer

        plain = TypeDeserializer()
        table = self.environment()["SHEEN_TABLE_PREFIX"] + "instances"
        rows = self.client("dynamodb").scan(TableName=table, ConsistentRead=True)["Items"]
        return [{name: plain.deserialize(value) for name, value in row.items()} for row in rows]

    def instance_of(self, location: str) -> dict[str, Any] | None:
        """The newest instance of the app at ``location``."""
        rows = [row for row in self.instances() if row["location"] == location]
        return max(rows, key=lambda row: row["claimed_at"], default=None)

    def wake_json(self, url_path: str, within: float = 60) -> None:
        """Visit until the app answers, with JSON."""
        until(
            lambda: (
                "json"
                in self.get(url_path, {"accept": "text/html"}).headers.get("content-type", "")
            ),
            within,
            f"{url_path} to be answered by R",
        )

    def wake(self, url_path: str, within: float = 60) -> None:
        """Visit until the app itself answers."""
        until(
            lambda: b"sheen-config" in self.get(url_path, {"accept": "text/html"}).body,
            within,
            f"{url_path} to be served by R",
        )
