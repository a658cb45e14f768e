"""The ids of R processes. Shiny puts them into its per-session URLs as ``w=`` (FACTS S3). Pure."""

import re
from collections.abc import Iterable
from typing import NamedTuple, Self
from urllib.parse import unquote

_WORKER = re.compile(r"(?P<version>[0-9A-Za-z-]+)\.(?P<slot>[0-9]{1,4})\.(?P<number>[0-9]+)\Z")


class WorkerId(NamedTuple):
    """The R process of an app that a request is for."""

    version: str
    slot: int
    number: int
    """0 means any process of the instance."""

    def __str__(self) -> str:
        return f"{self.version}.{self.slot}.{self.number}"

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Parse ``<version>.<slot>.<number>``; return None for anything else."""
        match = _WORKER.match(text)
        return cls(match["version"], int(match["slot"]), int(match["number"])) if match else None


def named(path: str, query: Iterable[tuple[str, str]]) -> WorkerId | None:
    """Return the R process that a request names, or None.

    The name is ``w=`` in the query, or a segment ``w=<id>`` or ``_w_<id>`` of the path.
    """
    texts = [value for name, value in query if name == "w"]
    texts += [
        segment.removeprefix(mark)
        for segment in unquote(path).split("/")
        for mark in ("w=", "_w_")
        if segment.startswith(mark)
    ]
    return next((worker for worker in map(WorkerId.parse, texts) if worker is not None), None)
