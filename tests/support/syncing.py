"""Syncs on a local stack: defined, filled, run, waited for."""

import json
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tests.support.stack import StackProcess


class StackSync:
    """One sync of a running stack."""

    def __init__(self, stack: StackProcess, name: str, **settings: object) -> None:
        self.stack = stack
        self.name = name
        self.bucket = stack.environment()["SHEEN_BUCKET"]
        self.s3 = stack.client("s3")
        values = {"schedule": "never", **settings}
        stack.sheen("sync", "define", name, *(f"{key}={value}" for key, value in values.items()))

    @property
    def folder(self) -> Path:
        """What apps see of it."""
        return Path(self.stack.efs) / "syncs" / self.name

    def put(self, key: str, body: bytes) -> None:
        self.s3.put_object(Bucket=self.bucket, Key=f"data/{self.name}/{key}", Body=body)

    def put_all(self, files: dict[str, bytes]) -> None:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda item: self.put(*item), files.items()))

    def delete(self, keys: Iterable[str]) -> None:
        for key in keys:
            self.s3.delete_object(Bucket=self.bucket, Key=f"data/{self.name}/{key}")

    def run(self, prefix: str = "") -> dict[str, Any]:
        """Run it by its function, as anybody can, and wait."""
        payload = json.dumps({"sync": self.name, "prefix": prefix, "wait": True})
        answer = self.stack.client("lambda").invoke(
            FunctionName=f"{self.bucket}-sync", Payload=payload
        )
        document: dict[str, Any] = json.loads(answer["Payload"].read())
        assert "FunctionError" not in answer, document
        return document

    def ask(self, prefix: str = "") -> dict[str, Any]:
        """The same without waiting."""
        payload = json.dumps({"sync": self.name, "prefix": prefix})
        answer = self.stack.client("lambda").invoke(
            FunctionName=f"{self.bucket}-sync", Payload=payload
        )
        return dict(json.loads(answer["Payload"].read()))

    def rows(self, table: str) -> list[dict[str, Any]]:
        """Rows of this sync, plain."""
        from boto3.dynamodb.types import TypeDeserializer

        plain = TypeDeserializer()
        rows = self.stack.client("dynamodb").query(
            TableName=f"{self.bucket}-{table}",
            KeyConditionExpression="sync = :name",
            ExpressionAttributeValues={":name": {"S": self.name}},
            ConsistentRead=True,
        )["Items"]
        return [{name: plain.deserialize(value) for name, value in row.items()} for row in rows]

    def runs(self) -> list[dict[str, Any]]:
        return self.rows("sync_runs")

    def tick(self) -> None:
        """As the clock does."""
        event = {"version": "0", "id": "1", "detail-type": "Scheduled Event", "source": "aws.events", "account": "1", "region": "us-east-1",  # noqa: E501
                 "time": "2026-11-20T00:00:00Z", "resources": ["x"], "detail": {}}  # fmt: skip
        answer = self.stack.client("lambda").invoke(
            FunctionName=f"{self.bucket}-sync_tick", Payload=json.dumps(event)
        )
        assert "FunctionError" not in answer, answer["Payload"].read()

    def content(self) -> dict[str, bytes]:
        """All that apps see, by path."""
        return {
            path.relative_to(self.folder).as_posix(): path.read_bytes()
            for path in self.folder.rglob("*")
            if path.is_file()
        }
