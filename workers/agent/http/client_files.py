"""The browser client's files, which are few and small, and read only once."""

import hashlib
import mimetypes
from pathlib import Path
from typing import NamedTuple

from aiohttp import web

from agent.log import logger

ENTRY = "relay.js"


class _File(NamedTuple):
    body: bytes
    content_type: str
    digest: str


class ClientFiles:
    """The files directly in ``directory``; no other path can be requested."""

    def __init__(self, directory: Path) -> None:
        self._files: dict[str, _File] = {}
        for path in sorted(directory.iterdir()) if directory.is_dir() else ():
            if path.is_file():
                body = path.read_bytes()
                kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
                self._files[path.name] = _File(body, kind, hashlib.sha256(body).hexdigest()[:16])
        if ENTRY not in self._files:
            logger.error(
                f"the browser client {directory / ENTRY} is not there: build it with "
                "`make install`; until then pages do not connect"
            )

    @property
    def entry_hash(self) -> str:
        """The hash of the client's file, which its URL contains."""
        entry = self._files.get(ENTRY)
        return entry.digest if entry else ""

    def answer(self, name: str, query: str, etag: str) -> web.Response:
        """Answer a request for a file; with its hash as the query it may be kept for ever."""
        file = self._files.get(name)
        if file is None:
            return web.Response(status=404, text="no such file\n")
        tag = f'"{file.digest}"'
        for_ever = query == file.digest
        headers = {
            "ETag": tag,
            "Cache-Control": "public, max-age=31536000, immutable" if for_ever else "no-cache",
        }
        if tag in etag:
            return web.Response(status=304, headers=headers)
        return web.Response(
            body=file.body,
            headers={
                **headers,
                "Content-Type": _typed(file.content_type),
                "X-Content-Type-Options": "nosniff",
            },
        )


def _typed(kind: str) -> str:
    return (
        f"{kind}; charset=utf-8"
        if kind.startswith("text/") or kind.endswith(("javascript", "json"))
        else kind
    )
