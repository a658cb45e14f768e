"""The relay's limits and delays, all in one place."""

from __future__ import annotations

from dataclasses import dataclass

KB = 1024
MB = 1024 * KB

LARGEST_MESSAGE = 64 * MB
"""The largest message of R or of a page; ``workers/python/start.py`` has a copy."""
LARGEST_FRAME = 128 * KB
"""The largest message of a connection, in either direction, in bytes (FACTS W1)."""

FRAME_FROM_BROWSER = 32 * KB
"""The largest WebSocket frame from a browser, in bytes (FACTS W1)."""


@dataclass(frozen=True, slots=True)
class RelaySettings:
    """Limits of one app's sessions; times in seconds, sizes in bytes as they travel.

    Bytes as they travel are escaped UTF-8.
    """

    reconnect: bool = True
    """Whether the client reconnects when its connection is lost (``reconnect``)."""
    disabled: tuple[str, ...] = ()
    """Transports that the app does not use (``disable_protocols``, ``disable_websockets``)."""

    reservation: float = 45.0
    """How long a page's session waits for its first connection (FACTS S10)."""
    grace: float = 15.0
    """How long a session waits for its client to come back (FACTS S7)."""
    session_timeout: float = 0.0
    """Inactivity of the visitor that ends a session (``app_session_timeout``); 0: never."""
    connection_timeout: float = 0.0
    """Silence after which a connection of Sheen's own client is given up; 0: never.

    That client shows signs of life even if its visitor does nothing.
    """
    read_timeout: float = 0.0
    """Silence of R that ends a session (``read_timeout``); 0: never."""
    farewell: float = 60.0
    """How long an ended session is remembered, so that a returning client learns why it ended."""
    heartbeat: float = 25.0
    """Silence after which a connection gets ``h`` (``sockjs_heartbeat_delay``, FACTS S8).

    Proxies on the way then keep the connection. A dead connection shows itself: here by status 410,
    and to the client by silence. This costs an idle visitor 144 posts an hour (FACTS W8).
    """
    ticket_renewal: float = 300.0
    """Interval at which the client gets a fresh ticket; a ticket lives ten minutes."""

    frame_limit: int = LARGEST_FRAME - KB
    """The largest frame to a browser; a message that does not fit is sent in parts."""
    high_water: int = MB
    """If more than this waits for the browser, or for R, the other side is not read."""
    max_message: int = LARGEST_MESSAGE
    """The largest message, in either direction."""

    reorder_bytes: int = 2 * MB
    """Bytes that may wait for an earlier message that is missing."""
    reorder_count: int = 1024
    """How many messages may wait for an earlier one that is missing."""
    resend_after: float = 3.0
    """Age of a gap at which the receiver asks for the missing messages."""

    frame_rate: float = 500.0
    """Frames a second that a browser may send in the long run.

    That is twice what R can answer (FACTS R2), and a twentieth of the account's requests a second
    (W7).
    """
    frame_burst: float = 2000.0
    """Frames that a browser may send at once; enough for a message of 50 MB."""
    instance_bytes: int = 256 * MB
    """Bytes that may wait in all sessions of an instance together.

    Above this, the session that holds most is ended.
    """

    ack_delay: float = 1.0
    """How long an acknowledgement waits for a frame to travel with."""
    ack_bytes: int = 64 * KB
    """Unacknowledged bytes that cause an immediate acknowledgement."""
    ack_count: int = 32
    """Unacknowledged messages that cause an immediate acknowledgement."""

    client_keepalive: float = 240.0
    """Silence after which the client sends something; the gateway cuts at 600 s (FACTS W2)."""
    client_refresh: float = 6600.0
    """Age at which the client changes its connection; the gateway cuts at 7200 s (FACTS W2)."""
    client_grey: float = 3.0
    """Time without a connection after which the page greys out."""
    client_ack_delay: float = 20.0
    """The client's own ``ack_delay``; each of its separate acknowledgements costs an invocation."""
    client_window: int = 512 * KB
    """Bytes that the client sends ahead of acknowledgements; well under ``reorder_bytes``."""
    client_window_count: int = 256
    """Messages that the client sends ahead of acknowledgements; under ``reorder_count``."""

    @property
    def client_alive(self) -> float:
        """Silence after which Sheen's client shows a sign of life; 0: it need not."""
        return self.connection_timeout / 3

    @property
    def websocket(self) -> bool:
        """Whether the app can be reached by WebSocket."""
        return "websocket" not in self.disabled

    @property
    def part_limit(self) -> int:
        """The largest part of a message.

        That is a frame without its brackets, number, channel and an acknowledgement.
        """
        return self.frame_limit - 128

    @property
    def unacknowledged_limit(self) -> int:
        """Bytes that Sheen's own client may send, in order, beyond the last acknowledgement.

        That is twice its window.
        """
        return 2 * self.client_window

    @property
    def buffer_limit(self) -> int:
        """The hard limit of what waits in one direction.

        That is the high water mark and one escaped message above it.
        """
        return self.high_water + 2 * self.max_message
