"""ASGI middleware between the agent and the app: admits requests and names their process.

It only passes requests that come from the agent, and it marks a session's URLs so that later
requests find the process. Pure ASGI.
"""

import re
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

_SECRET = b"shiny-shared-secret"
_VISITOR = b"sheen-visitor"
"""Header with the visitor's address, and the scheme, name and port of the request.

See :data:`agent.http.headers.VISITOR`.
"""
_NAMELESS = re.compile(r"(session/[0-9a-f]{64}/(?:upload|download)/[^\s\"'<>\\?/]*\?w=)(?=[\"'\\])")
"""A session's URL as Shiny for Python writes it, with nothing after the ``w=``.

The process's id belongs there.
"""


class Relay:
    """Refuses requests without the secret, and puts this process's id into URLs (FACTS S3).

    Shiny for R refuses such requests in the same way (FACTS S2).
    """

    def __init__(self, app: App, secret: str, worker_id: str) -> None:
        self._app = app
        self._secret = secret.encode()
        self._worker_id = worker_id

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve one connection, as an ASGI application."""
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
        return (
            _NAMELESS.sub(lambda found: found[1] + self._worker_id, text) if "?w=" in text else text
        )

    def _naming(self, send: Send) -> Send:
        async def named(message: Message) -> None:
            if message["type"] == "websocket.send" and message.get("text"):
                message = {**message, "text": self.named(message["text"])}
            await send(message)

        return named


def _located(scope: Message) -> Message:
    """Return the scope with the visitor's address and the server's name where apps look for them.

    The agent sends them in a header, because a unix socket has no addresses.
    """
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
    await send(
        {
            "type": "http.response.start",
            "status": 403,
            "headers": [(b"content-type", b"text/plain")],
        }
    )
    await send({"type": "http.response.body", "body": b"Forbidden\n"})
