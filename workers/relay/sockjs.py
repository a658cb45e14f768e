"""SockJS frames (FACTS S6): what the server and the client put on the wire.

A client sends a JSON array of strings. A server sends ``o`` (open), ``h`` (heartbeat),
``a["…","…"]`` (messages) or ``c[code,"reason"]`` (closed).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from json.encoder import encode_basestring
from typing import Literal, NamedTuple

from relay.errors import ProtocolError

OPEN = "o"
HEARTBEAT = "h"

# Characters that some browsers' JSON parsers or proxies change. SockJS's servers escape them too.
_UNSAFE = re.compile("[\ud800-\udfff\u200c-\u200f\u2028-\u202f\u2060-\u206f\ufff0-\uffff]")
_SURROGATE = re.compile("[\ud800-\udfff]")


class MessagesFrame(NamedTuple):
    """An ``a`` frame."""

    messages: list[str]


class CloseFrame(NamedTuple):
    """A ``c`` frame."""

    code: int
    reason: str


Frame = Literal["o", "h"] | MessagesFrame | CloseFrame


def escape(text: str) -> str:
    """Return the content of a JSON string, without its quotes, with SockJS's escapes."""
    escaped = encode_basestring(text)[1:-1]
    if escaped.isascii():
        return escaped
    return _UNSAFE.sub(lambda match: f"\\u{ord(match[0]):04x}", escaped)


def size(text: str) -> int:
    """Return the bytes of ``text`` in UTF-8."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def array(escaped: Iterable[str]) -> str:
    """Return an ``a`` frame of strings that :func:`escape` made."""
    return 'a["' + '","'.join(escaped) + '"]'


def close(code: int, reason: str) -> str:
    """Return a ``c`` frame."""
    return f'c[{code},"{escape(reason)}"]'


def whole(text: str) -> str:
    """Return ``text`` with every lone surrogate replaced by U+FFFD.

    A browser's own WebSocket does the same when it sends.
    """
    if text.isascii() or not _SURROGATE.search(text):
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def encode_client(messages: Iterable[str]) -> str:
    """Return a client's frame."""
    return '["' + '","'.join(map(escape, messages)) + '"]' if messages else "[]"


def decode_client(frame: str) -> list[str]:
    """Return the messages of a client's frame.

    :raises ProtocolError: not a JSON array of strings.
    """
    return _strings(frame)


def decode_server(frame: str) -> Frame:
    """Parse a server's frame, as a client reads it.

    :raises ProtocolError: not a SockJS frame.
    """
    if frame == "o":
        return "o"
    if frame == "h":
        return "h"
    if frame.startswith("a"):
        return MessagesFrame(_strings(frame[1:]))
    if frame.startswith("c"):
        match _json(frame[1:]):
            case [int(code), str(reason)] if not isinstance(code, bool):
                return CloseFrame(code, whole(reason))
    raise ProtocolError(f"not a SockJS frame: {frame[:40]!r}")


def _json(text: str) -> object:
    try:
        value: object = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ProtocolError(f"not JSON: {text[:40]!r}") from error
    return value


def _strings(text: str) -> list[str]:
    value = _json(text)
    if not isinstance(value, list):
        raise ProtocolError(f"not an array: {text[:40]!r}")
    messages: list[str] = []
    for item in value:
        if not isinstance(item, str):
            raise ProtocolError(f"not an array of strings: {text[:40]!r}")
        messages.append(whole(item))
    return messages
