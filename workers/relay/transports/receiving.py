"""The transports that receive: how a SockJS frame is put into a response."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from json.encoder import encode_basestring

_SCRIPT = "application/javascript; charset=UTF-8"
_HTML = "text/html; charset=UTF-8"
_CALLBACK = re.compile(r"[0-9A-Za-z_.-]{1,256}\Z")

_HTMLFILE = """<!doctype html>
<html><head>
  <meta http-equiv="X-UA-Compatible" content="IE=edge" />
  <meta http-equiv="Content-Type" content="text/html; charset=UTF-8" />
</head><body><h2>Don't panic!</h2>
  <script>
    document.domain = document.domain;
    var c = parent.{callback};
    c.start();
    function p(d) {{c.message(d);}};
    window.onload = function() {{c.stop();}};
  </script>
"""


class BadCallback(Exception):
    """The request names no JavaScript function, or not a valid one; the text is the answer."""


@dataclass(frozen=True, slots=True)
class ReceivingTransport:
    """A transport that receives.

    ``prelude(callback)`` is the start of a response, and ``wrap(frame, callback)`` is a frame in
    it. A transport that is not ``streaming`` ends its response after one frame.
    """

    content_type: str
    streaming: bool
    cors: bool
    needs_callback: bool
    prelude: Callable[[str], str]
    wrap: Callable[[str, str], str]


def _none(_callback: str) -> str:
    return ""


def _line(frame: str, _callback: str) -> str:
    return frame + "\n"


def _event(frame: str, _callback: str) -> str:
    # A frame has no line breaks, because its JSON escapes them. sockjs-client passes it through
    # decodeURI, so no percent sign may look like an escape; one can only stand in a JSON string.
    escaped = frame.replace("%", "\\u0025")
    return f"data: {escaped}\r\n\r\n"


def _literal(frame: str) -> str:
    # A string literal that cannot end the script element that it stands in.
    return encode_basestring(frame).replace("<", "\\u003c")


RECEIVING = {
    "xhr": ReceivingTransport(_SCRIPT, False, True, False, _none, _line),
    "xhr_streaming": ReceivingTransport(
        _SCRIPT, True, True, False, lambda _: "h" * 2048 + "\n", _line
    ),
    "eventsource": ReceivingTransport(
        "text/event-stream", True, True, False, lambda _: "\r\n", _event
    ),
    "htmlfile": ReceivingTransport(
        _HTML,
        True,
        False,
        True,
        # Browsers begin to show a page after about a kilobyte.
        lambda callback: _HTMLFILE.format(callback=callback) + " " * 1024 + "\r\n\r\n",
        lambda frame, _: f"<script>\np({_literal(frame)});\n</script>\r\n",
    ),
    # The comment keeps a callback from being taken for the start of another file type, as happened
    # with Flash.
    "jsonp": ReceivingTransport(
        _SCRIPT,
        False,
        False,
        True,
        _none,
        lambda frame, callback: f"/**/{callback}({_literal(frame)});\r\n",
    ),
}
"""The receiving transports by their names in URLs."""


def callback(value: str | None) -> str:
    """Return the name of the function that a request names.

    :raises BadCallback: there is none, or it is not a name.
    """
    if not value:
        raise BadCallback('"callback" parameter required')
    if not _CALLBACK.match(value):
        raise BadCallback('invalid "callback" parameter')
    return value
