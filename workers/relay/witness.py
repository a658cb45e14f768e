"""What page and worker agree on in Shiny's messages, to which the agent holds both; no I/O.

* A worker begins with ``{"config":{"sessionId":"<token>",…}}``: the token is in the URLs of that
  session's downloads, uploads and data (FACTS S3).
* A page that wants to upload says ``{"method":"uploadInit","args":[[{"size":…},…]],"tag":…}``, and
  the worker answers
  ``{"response":{"tag":…,"value":{"uploadUrl":"session/<token>/upload/<job>?w=…",…}}}`` if it takes
  files of these sizes (FACTS S5). The page ends the job with
  ``{"method":"uploadEnd","args":["<job>",…]}``.
"""

from __future__ import annotations

import json
import re
from typing import Any

_CONFIG = '{"config":'
_UPLOAD = re.compile(r'\{"method": ?"upload(?:Init|End)"')
_RESPONSE = '{"response":'
_LONGEST = 1024 * 1024
"""Largest message that is read, in characters: enough for some ten thousand files at once.

Uploads that a longer message agrees on are not known, so S3 does not accept them.
"""
_MOST = 64
"""Items of each kind that are remembered per session; the oldest are forgotten."""


class Witness:
    """Remembers one session's tokens, and the upload jobs that its worker has accepted."""

    def __init__(self) -> None:
        self._tokens: dict[str, None] = {}
        self._asked: dict[tuple[str, int], frozenset[int]] = {}
        self._jobs: dict[str, frozenset[int]] = {}

    def knows(self, token: str) -> bool:
        """Return whether the worker gave this token to the session."""
        return token in self._tokens

    def accepts(self, target: str, size: int) -> bool:
        """Return whether the worker takes a file of ``size`` bytes at ``target``.

        ``target`` is the URL that the worker gave.
        """
        return size in self._jobs.get(_path(target), ())

    def from_page(self, channel: str, message: str) -> None:
        """Read a message from the page."""
        if _UPLOAD.match(message) and (said := _read(message)) is not None:
            match said:
                case {"method": "uploadInit", "args": [[*files]], "tag": int(tag)}:
                    sizes = frozenset(
                        file["size"]
                        for file in files
                        if isinstance(file, dict) and isinstance(file.get("size"), int)
                    )
                    _remember(self._asked, (channel, tag), sizes)
                case {"method": "uploadEnd", "args": [str(job), *_]}:
                    for known in [
                        known for known in self._jobs if known.endswith(f"/upload/{job}")
                    ]:
                        del self._jobs[known]

    def from_worker(self, channel: str, message: str) -> None:
        """Read a message from the worker."""
        if message.startswith(_CONFIG) and (said := _read(message)) is not None:
            match said:
                case {"config": {"sessionId": str(token)}}:
                    _remember(self._tokens, token, None)
        elif self._asked and message.startswith(_RESPONSE) and (said := _read(message)) is not None:
            match said:
                case {"response": {"tag": int(tag), **answer}}:
                    sizes = self._asked.pop((channel, tag), frozenset())
                    match answer.get("value"):
                        case {"uploadUrl": str(target)} if sizes:
                            _remember(self._jobs, _path(target), sizes)


def _remember(known: dict[Any, Any], key: object, value: object) -> None:
    known.pop(key, None)
    known[key] = value
    if len(known) > _MOST:
        del known[next(iter(known))]


def _path(target: str) -> str:
    return target.partition("?")[0].removeprefix("/")


def _read(message: str) -> dict[str, Any] | None:
    if len(message) > _LONGEST:
        return None
    try:
        said = json.loads(message)
    except (ValueError, RecursionError):
        return None
    return said if isinstance(said, dict) else None
