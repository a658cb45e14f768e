"""What one SockJS service offers, and its delays and limits."""

from __future__ import annotations

from dataclasses import dataclass

from relay.settings import KB, LARGEST_MESSAGE, MB


@dataclass(frozen=True, slots=True)
class SockJsOptions:
    """What one SockJS service offers; times in seconds, sizes in bytes."""

    websocket: bool = True
    """Whether WebSockets are answered here (``disable_websockets``)."""
    disabled: tuple[str, ...] = ()
    """Transports that are not answered, by Shiny Server's names (``disable_protocols``)."""
    cookie_needed: bool = False
    """Whether session URLs set ``JSESSIONID``.

    Some load balancers use it to keep a client on one server.
    """
    client_url: str = "/__sheen__/sockjs.js"
    """The browser's library, which the iframe page loads.

    A path is relative to the app's own path (header ``sheen-base``).
    """

    heartbeat_delay: float = 25.0
    """Silence after which a receiver gets ``h`` (``sockjs_heartbeat_delay``, FACTS S8)."""
    disconnect_delay: float = 5.0
    """Time without a receiver after which a client is gone.

    See ``sockjs_disconnect_delay`` (FACTS S8).
    """
    response_limit: int = 128 * KB
    """Size at which a streaming response ends, so that the browser can release its memory."""
    write_timeout: float = 60.0
    """Time without reading after which a client is gone."""

    buffered_wait: float = 20.0
    """Time after which a response ends with ``h`` where responses are buffered.

    The gateway waits 29 s (FACTS H1, H2).
    """
    buffered_limit: int = MB
    """Size at which a buffered streaming response ends (FACTS H1, H2)."""

    largest_body: int = 6 * MB
    """The largest request (FACTS H1)."""
    largest_message: int = LARGEST_MESSAGE
    """The largest WebSocket message."""
    most_clients: int = 4096
    """Clients that are remembered at once; any further client is refused."""
