"""Reads a signed request's body: small ones into memory, large ones into a file, so that an upload never sits in the front's memory."""

import hashlib
import tempfile
from pathlib import Path
from typing import IO

from aiohttp import web

IN_MEMORY_BYTES = 1 << 20
LARGEST_DOCUMENT_BYTES = 16 << 20
"""Of services that take documents, not objects."""


class Body:
    """A request's body and its SHA-256. Close it when the request is answered."""

    def __init__(self, data: bytes | IO[bytes], sha256: str) -> None:
        self.data = data
        self.sha256 = sha256

    def close(self) -> None:
        """Delete the file, if there is one."""
        if not isinstance(self.data, bytes):
            self.data.close()


async def read_document(request: web.Request) -> Body:
    """Read the body of a service that takes documents, into memory; larger ones are answered with 413."""
    data = await request.read()
    return Body(data, hashlib.sha256(data).hexdigest())


async def read_object(request: web.Request, spool: Path) -> Body:
    """Read an object's body, into an unnamed file in ``spool`` when it is large or does not say how long it is."""
    length = request.content_length
    if not request.body_exists or (length is not None and length <= IN_MEMORY_BYTES):
        return await read_document(request)
    file = tempfile.TemporaryFile(dir=spool)  # noqa: SIM115  (closed by Body.close)
    digest = hashlib.sha256()
    try:
        async for chunk in request.content.iter_chunked(1 << 18):
            digest.update(chunk)
            file.write(chunk)
    except BaseException:
        file.close()
        raise
    file.seek(0)
    return Body(file, digest.hexdigest())
