"""A local stack with the tiny app, as a process, for tests that use or break it."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from tests.support.stack import ControlConnection, free_port
from tests.support.waiting import until

HERE = Path(__file__).parent
TREE = HERE.parents[2]


class TinyStack:
    """``tiny_stack.py`` with a folder and a port of its own."""

    def __init__(self, folder: Path, port: int | None = None) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.port = port or free_port()
        self.notes_path = folder / "notes"
        self.output = folder / "output"
        self.project = folder / "app"
        self.process: subprocess.Popen[bytes] | None = None
        self.concurrency = 1000
        if not self.project.exists():
            shutil.copytree(
                HERE / "tiny",
                self.project,
                ignore=shutil.ignore_patterns("__pycache__", "deployments"),
            )

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def launch(self) -> subprocess.Popen[bytes]:
        """Start the process without waiting."""
        paths = os.pathsep.join(str(TREE / part) for part in (".", "chalice_app", "workers"))
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("SHEEN_", "AWS_"))
        }
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [
                    sys.executable,
                    str(HERE / "tiny_stack.py"),
                    str(self.project),
                    str(self.notes_path),
                ],
                env=kept
                | {
                    "SHEEN_PORT": str(self.port),
                    "SHEEN_DATA": str(self.data),
                    "SHEEN_CONCURRENCY": str(self.concurrency),
                    "PYTHONPATH": paths,
                },
                stdout=output,
                stderr=output,
                cwd=TREE,
            )
        return self.process

    def start(self) -> None:
        process = self.launch()
        until(
            lambda: "\nready " in self.said() or process.poll() is not None,
            90,
            "the stack to be ready",
        )
        assert process.poll() is None, self.said()

    def stop(self, how: int = signal.SIGTERM) -> int:
        assert self.process is not None
        self.process.send_signal(how)
        return self.process.wait(30)

    def said(self) -> str:
        return self.output.read_text()

    def environment(self) -> dict[str, str]:
        result: dict[str, str] = json.loads((self.data / "environment.json").read_text())
        return result

    def client(self, service: str, *, attempts: int = 1, **keys: str) -> Any:
        """A boto3 client as the admin, or with other keys."""
        variables = self.environment()
        credentials = {
            "aws_access_key_id": variables["AWS_ACCESS_KEY_ID"],
            "aws_secret_access_key": variables["AWS_SECRET_ACCESS_KEY"],
        }
        return boto3.client(
            service,
            region_name=variables["AWS_REGION"],
            endpoint_url=self.url,
            config=Config(
                retries={"total_max_attempts": attempts},
                read_timeout=30,
                signature_version="s3v4" if service == "s3" else None,
            ),
            **(credentials | keys),
        )

    def invoke(self, function: str, event: Any = None) -> Any:
        """Invoke a function; return its answer, or raise :class:`AssertionError` with its error."""
        result = self.client("lambda").invoke(
            FunctionName=f"tiny-local-{function}", Payload=json.dumps(event)
        )
        answer = json.loads(result["Payload"].read())
        assert "FunctionError" not in result, answer
        return answer

    def error_of(self, function: str, event: Any = None) -> dict[str, Any]:
        """Invoke a function that fails; return its error."""
        result = self.client("lambda").invoke(
            FunctionName=f"tiny-local-{function}", Payload=json.dumps(event)
        )
        assert result["FunctionError"] == "Unhandled"
        error: dict[str, Any] = json.loads(result["Payload"].read())
        return error

    def notes(self, what: str) -> list[dict[str, Any]]:
        """What functions have noted under ``what``."""
        if not self.notes_path.exists():
            return []
        notes = [json.loads(line) for line in self.notes_path.read_text().splitlines()]
        return [note for note in notes if note["what"] == what]

    def counters(self) -> dict[str, Any]:
        return self.control("/counters")

    def control(self, path: str, settings: dict[str, Any] | None = None) -> dict[str, Any]:
        """What the control socket says, asked or told."""
        connection = ControlConnection(self.data / "run" / "control.sock")
        connection.request(
            "GET" if settings is None else "POST",
            path,
            None if settings is None else json.dumps(settings),
        )
        document: dict[str, Any] = json.loads(connection.getresponse().read())
        connection.close()
        return document

    def processes(self) -> list[int]:
        """Every process that belongs to this stack: it has the stack's folder in its environment or
        command.
        """
        found = []
        marks = (str(self.folder).encode(), f":{self.port}".encode())
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and int(entry.name) != os.getpid():
                try:
                    text = (entry / "environ").read_bytes() + (entry / "cmdline").read_bytes()
                except OSError:
                    continue
                if any(mark in text for mark in marks):
                    found.append(int(entry.name))
        return found
