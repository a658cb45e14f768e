"""S3's "Object Created" events, as sent by a bucket with EventBridge notifications (FACTS E7)."""

import asyncio
import time
import uuid
from urllib.parse import quote

from infra.emulator.events.bus import EventBus
from infra.emulator.moto.client import Moto
from infra.emulator.settings import ACCOUNT

REASONS = {
    "PutObject": "PutObject",
    "CopyObject": "CopyObject",
    "CompleteMultipartUpload": "CompleteMultipartUpload",
}


class S3Events:
    """Publishes an event for each written object."""

    def __init__(self, moto: Moto, bus: EventBus) -> None:
        self._moto = moto
        self._bus = bus
        self._last_sequence = 0
        self._tasks: set[asyncio.Task[None]] = set()

    def object_written(self, bucket: str, key: str, operation: str) -> None:
        """Publish the event of an object that ``operation`` has written."""
        self._last_sequence = max(time.time_ns(), self._last_sequence + 1)
        task = asyncio.create_task(
            self._publish(bucket, key, operation, f"00{self._last_sequence:016X}")
        )
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _publish(self, bucket: str, key: str, operation: str, sequencer: str) -> None:
        async with self._moto.s3("HEAD", f"/{bucket}/{quote(key)}") as response:
            if response.status != 200:
                return  # deleted meanwhile
            size = int(response.headers.get("Content-Length", 0))
            etag = response.headers.get("ETag", "").strip('"')
        detail = {
            "version": "0",
            "bucket": {"name": bucket},
            "object": {"key": key, "size": size, "etag": etag, "sequencer": sequencer},
            "request-id": uuid.uuid4().hex[:16].upper(),
            "requester": ACCOUNT,
            "source-ip-address": "127.0.0.1",
            "reason": REASONS[operation],
        }
        self._bus.publish("aws.s3", "Object Created", detail, [f"arn:aws:s3:::{bucket}"])
