"""Read a signed request's body.

Small bodies go into memory and large ones into a file, so that an upload never fills the front's
memory.
"""

import hashlib
import tempfile
from pathlib import Path
from typing import IO

from aiohttp import web

IN_MEMORY_BYTES = 1 << 20
LARGEST_DOCUMENT_BYTES = 16 << 20
"""Limit of services that take documents, not objects."""


class Body:
    """A request's body and its SHA-256; close it after the request is answered."""

    def __init__(self, data: bytes | IO[bytes], sha256: str) -> None:
        self.data = data
        self.sha256 = sha256

    def close(self) -> None:
        """Delete the file, if any."""
        if not isinstance(self.data, bytes):
            self.data.close()


async def read_document(request: web.Request) -> Body:
    """Read a document into memory; larger ones are answered with 413."""
    data = await request.read()
    return Body(data, hashlib.sha256(data).hexdigest())


async def read_object(request: web.Request, spool: Path) -> Body:
    """Read an object's body.

    It goes into an unnamed file in ``spool`` if it is large or its length is unknown.
    """
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
