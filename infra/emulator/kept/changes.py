"""Tell streams, events and storage when a call has changed moto's data."""

import json

from aiohttp import web

from infra.emulator.dynamodb.streams import Streams
from infra.emulator.endpoint.bodies import Body
from infra.emulator.endpoint.operations import s3_path
from infra.emulator.kept.data import KeptObjects, KeptTables
from infra.emulator.kept.secrets import KeptSecrets
from infra.emulator.s3.events import REASONS, S3Events

_ONE_TABLE = frozenset({"PutItem", "UpdateItem", "DeleteItem"})
_ANY_TABLE = frozenset(
    {
        "BatchWriteItem",
        "TransactWriteItems",
        "ExecuteStatement",
        "BatchExecuteStatement",
        "ExecuteTransaction",
    }
)


class DataChanges:
    """Implements :class:`infra.emulator.endpoint.front.Changes`."""

    def __init__(
        self,
        tables: KeptTables,
        objects: KeptObjects,
        streams: Streams,
        s3_events: S3Events,
        secrets: KeptSecrets,
        bucket: str,
    ) -> None:
        """Create the listener; ``bucket`` is the bucket with EventBridge notifications on."""
        self._tables = tables
        self._objects = objects
        self._streams = streams
        self._s3_events = s3_events
        self._secrets = secrets
        self._bucket = bucket

    def called(self, service: str, operation: str, request: web.Request, body: Body) -> None:
        """Handle the success of an operation."""
        if service == "dynamodb":
            if operation in _ONE_TABLE and isinstance(body.data, bytes):
                name = json.loads(body.data)["TableName"].rpartition("/")[2]
                self._table_written(name)
            elif operation in _ANY_TABLE:
                self._table_written(None)
        elif service == "secretsmanager":
            self._secrets.called(operation)
        elif service == "s3":
            path = s3_path(request)
            if operation in REASONS:
                self._objects.changed(path.bucket, path.key)
                if path.bucket == self._bucket:
                    self._s3_events.object_written(path.bucket, path.key, operation)
            elif operation == "DeleteObject":
                self._objects.changed(path.bucket, path.key)
            elif operation == "DeleteObjects":
                self._objects.changed(path.bucket, None)

    def _table_written(self, name: str | None) -> None:
        self._streams.written(name)
        self._tables.written(name)
