"""Makes a worker's HTTP answers fit for an HTTP client.

An app can send what HTTP does not allow but browsers tolerate: ``httpResponse(204, content =
"x")``. A client takes the ``x`` for the start of the next answer, and fails at this answer or at
the next visitor's. So the head of each answer is checked before the client sees it. A fault that
can be read in only one way is corrected, and any other fault turns the answer into one that says
what is wrong.
"""

import asyncio
import functools
import re
from collections.abc import Callable
from typing import Any, Final

import aiohttp
from aiohttp.client_proto import ResponseHandler

LARGEST_HEAD: Final = 256 * 1024
"""Largest head of an answer, in bytes; a larger one is not accepted."""

_STATUS = re.compile(rb"HTTP/1\.[01] +(-?[0-9]{1,10})(?: ([\t\x20-\x7e\x80-\xff]*))?\r?\Z")
_FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\x00\r\n]*?)[ \t]*\r?\Z")
_LENGTH = re.compile(rb"[0-9]{1,19}\Z")
_END = re.compile(rb"\r?\n\r?\n")


class Cure:
    """Corrects one answer as it arrives.

    ``head_only`` says that it answers HEAD, and has no body whatever it says.
    """

    def __init__(self, *, head_only: bool = False) -> None:
        self._head_only = head_only
        self._head = bytearray()
        self._begun = False
        self._swallows = False

    def feed(self, data: bytes) -> bytes:
        """Return what the client may see of the next bytes."""
        if self._swallows:
            return b""
        if self._begun:
            return data
        self._head += data
        passed = b""
        while (end := _END.search(self._head, 0, LARGEST_HEAD)) is not None:
            head, rest = bytes(self._head[: end.start()]), bytes(self._head[end.end() :])
            self._head.clear()
            cured, interim = self._cured(head)
            passed += cured
            if not interim:
                self._begun = True
                return passed if self._swallows else passed + rest
            self._head += rest
        if len(self._head) > LARGEST_HEAD:
            self._begun = True
            return passed + self._instead("has a head of more than 256 KB")
        return passed

    def _cured(self, head: bytes) -> tuple[bytes, bool]:
        """Return the head that the client sees, and whether the answer itself is still to come."""
        first, *lines = head.split(b"\n")
        said = _STATUS.match(first)
        if said is None:
            return self._instead("does not begin as HTTP does"), False
        status = int(said[1])
        fields = [(found[1], found[2]) for found in map(_FIELD.match, lines) if found is not None]
        names = [name.lower() for name, _ in fields]
        if 100 <= status < 200 and status != 101 and b"content-length" not in names:
            return head + b"\r\n\r\n", True
        if not 200 <= status <= 599:
            return self._instead(
                f"has the status {status}, and a status is one of 200 to 599"
            ), False
        lengths = {value for name, value in fields if name.lower() == b"content-length"}
        if len(lengths) > 1 or not all(map(_LENGTH.match, lengths)):
            return self._instead("has a Content-Length that is none, or more than one"), False
        if lengths and b"transfer-encoding" in names:
            return self._instead(
                "says its length in two ways, Content-Length and Transfer-Encoding"
            ), False
        dropped = {b"content-length"}
        if status in (204, 304):
            dropped |= {b"transfer-encoding", b"connection"}
            lengths = set()
        elif self._head_only:
            dropped |= {b"connection"}
        self._swallows = self._head_only or status in (204, 304)
        kept = [(name, value) for name, value in fields if name.lower() not in dropped]
        kept += [(b"Content-Length", value) for value in lengths]
        if self._swallows:  # what comes after it is dropped
            kept.append((b"Connection", b"close"))
        return b"\r\n".join(
            [
                b"HTTP/1.1 %d %s" % (status, said[2] or b""),
                *(b"%s: %s" % field for field in kept),
                b"",
                b"",
            ]
        ), False

    def _instead(self, why: str) -> bytes:
        self._swallows = True
        body = (
            b""
            if self._head_only
            else f"The app's answer {why}: it cannot be passed on. Its author can mend that.\n".encode()  # noqa: E501
        )
        return (
            b"HTTP/1.1 502 Bad Gateway\r\nContent-Type: text/plain; "
            b"charset=utf-8\r\nCache-Control: no-store\r\nConnection: close\r\n"
            b"Content-Length: %d\r\n\r\n%s" % (len(body), body)
        )


class _Cured(ResponseHandler):
    """A connection on which each answer is corrected."""

    _cure: Cure | None = None

    def set_response_params(self, *, skip_payload: bool = False, **parameters: Any) -> None:
        """Prepare for the answer to a request; ``skip_payload`` says that the request is a HEAD."""
        self._cure = Cure(head_only=skip_payload)
        super().set_response_params(skip_payload=skip_payload, **parameters)

    def data_received(self, data: bytes) -> None:
        """Take bytes of the answer.

        No bytes mean that the client continues with those that it has.
        """
        passed = self._cure.feed(data) if self._cure is not None else data
        if passed or not data:
            super().data_received(passed)


class CuringConnector(aiohttp.UnixConnector):
    """Connects to one worker's socket, and corrects its answers."""

    def __init__(self, path: str, limit: int) -> None:
        super().__init__(path, limit=limit)
        make: Callable[..., ResponseHandler] = _Cured
        self._factory = functools.partial(make, loop=asyncio.get_running_loop())
