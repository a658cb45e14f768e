"""What stands between the agent and the app: who may ask, and how a session's requests find their process. Pure ASGI."""

import re
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

_SECRET = b"shiny-shared-secret"
_VISITOR = b"sheen-visitor"
"""The visitor's address, and scheme, name and port of what was asked (:data:`agent.http.headers.VISITOR`)."""
_NAMELESS = re.compile(r"(session/[0-9a-f]{64}/(?:upload|download)/[^\s\"'<>\\?/]*\?w=)(?=[\"'\\])")
"""A session's URL that says which process it is for, as Shiny for Python writes it: with nothing after the ``w=``."""


class Relay:
    """Refuses who does not know the secret, as Shiny for R does (FACTS S2), and puts this process's id into URLs (FACTS S3)."""

    def __init__(self, app: App, secret: str, worker_id: str) -> None:
        self._app = app
        self._secret = secret.encode()
        self._worker_id = worker_id

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve one connection; an ASGI application."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif (_SECRET, self._secret) not in scope["headers"]:
            await _refuse(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._app(_located(scope), receive, self._naming(send))
        else:
            await self._app(_located(scope), receive, send)

    def named(self, text: str) -> str:
        """Return a message to the browser with this process's id in its URLs."""
        return _NAMELESS.sub(lambda found: found[1] + self._worker_id, text) if "?w=" in text else text

    def _naming(self, send: Send) -> Send:
        async def named(message: Message) -> None:
            if message["type"] == "websocket.send" and message.get("text"):
                message = {**message, "text": self.named(message["text"])}
            await send(message)

        return named


def _located(scope: Message) -> Message:
    """Return the scope with what the agent says of the visitor where apps look for it: a unix socket has no addresses."""
    told = next((value for name, value in scope["headers"] if name == _VISITOR), None)
    if told is None:
        return scope
    address, scheme, name, port = told.decode("ascii").split(" ")
    return {
        **scope,
        "headers": [pair for pair in scope["headers"] if pair[0] != _VISITOR],
        "scheme": scheme.replace("http", "ws") if scope["type"] == "websocket" else scheme,
        "client": None if address == "-" else (address, 0),
        "server": None if name == "-" else (name, int(port)),
    }


async def _refuse(scope: Message, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": 1008})
        return
    await send({"type": "http.response.start", "status": 403, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": b"Forbidden\n"})
