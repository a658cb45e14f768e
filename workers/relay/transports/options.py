"""What one SockJS service offers, and its delays and limits."""

from __future__ import annotations

from dataclasses import dataclass

from relay.settings import KB, MB


@dataclass(frozen=True, slots=True)
class SockJsOptions:
    """Times in seconds, sizes in bytes."""

    websocket: bool = True
    """Whether WebSockets are answered here (``disable_websockets``)."""
    disabled: tuple[str, ...] = ()
    """Transports that are not answered, by Shiny Server's names (``disable_protocols``)."""
    cookie_needed: bool = False
    """Whether session URLs set ``JSESSIONID``, by which some load balancers keep a client on one server."""
    client_url: str = "/__sheen__/sockjs.js"
    """The browser's library, which the iframe page loads; a path is below the app's own (header ``sheen-base``)."""

    heartbeat_delay: float = 25.0
    """A receiver that got nothing for so long gets ``h`` (``sockjs_heartbeat_delay``, FACTS S8)."""
    disconnect_delay: float = 5.0
    """A client without a receiver for so long is gone (``sockjs_disconnect_delay``, FACTS S8)."""
    response_limit: int = 128 * KB
    """A streaming response ends after so much, so that the browser can let go of it."""
    write_timeout: float = 60.0
    """A client that reads nothing for so long is gone."""

    buffered_wait: float = 20.0
    """Where responses are buffered one ends after so long with ``h``: the gateway waits 29 s (FACTS H1, H2)."""
    buffered_limit: int = MB
    """A streaming response that is buffered ends after so much (FACTS H1, H2)."""

    largest_body: int = 6 * MB
    """The largest request (FACTS H1)."""
    largest_message: int = 64 * MB
    """The largest WebSocket message."""
    most_clients: int = 4096
    """So many clients are remembered at once; the next one is refused."""
