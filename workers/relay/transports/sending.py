"""The transports that send: which messages a request's body or a WebSocket message has."""

from __future__ import annotations

import json
from typing import NamedTuple
from urllib.parse import parse_qs

from relay import sockjs
from relay.errors import ProtocolError


class BadPayload(Exception):
    """The body holds no messages; the text is the protocol's answer."""


class Payload(NamedTuple):
    """Messages, and the client's frame that contains them."""

    frame: str
    messages: list[str]


def xhr(body: bytes) -> Payload:
    """Parse the body of ``xhr_send``: a JSON array of strings, whatever the content type says.

    :raises BadPayload: something else.
    """
    return _payload(_text(body))


def jsonp(body: bytes, content_type: str) -> Payload:
    """Parse the body of ``jsonp_send``: a JSON array of strings, plain or in a form's field ``d``.

    :raises BadPayload: something else.
    """
    text = _text(body)
    if content_type.partition(";")[0].strip().lower() == "application/x-www-form-urlencoded":
        try:
            text = parse_qs(text, max_num_fields=16).get("d", [""])[0]
        except ValueError as error:
            raise BadPayload("Payload expected.") from error
    return _payload(text)


def websocket(text: str) -> Payload | None:
    """Parse a WebSocket message: an array of strings or one string.

    Return None for an empty message, which is ignored.

    :raises BadPayload: something else.
    """
    if not text:
        return None
    return _payload(f"[{text}]" if text.startswith('"') else text)


def _text(body: bytes) -> str:
    if not body:
        raise BadPayload("Payload expected.")
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise BadPayload("Broken JSON encoding.") from error


def _payload(text: str) -> Payload:
    if not text:
        raise BadPayload("Payload expected.")
    try:
        return Payload(text, sockjs.decode_client(text))
    except ProtocolError as error:
        # The protocol distinguishes broken JSON from JSON of another form; :exc:`ProtocolError`
        # does not.
        raise BadPayload(
            "Payload expected." if _is_json(text) else "Broken JSON encoding."
        ) from error


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True
