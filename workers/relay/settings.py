"""The relay's limits and delays, all in one place."""

from __future__ import annotations

from dataclasses import dataclass

KB = 1024
MB = 1024 * KB

FRAME_TO_BROWSER = 128 * KB
"""The largest post to a connection, in bytes (FACTS W1)."""

FRAME_FROM_BROWSER = 32 * KB
"""The largest WebSocket frame from a browser, in bytes (FACTS W1)."""


@dataclass(frozen=True, slots=True)
class RelaySettings:
    """What one app's sessions may do. Times in seconds, sizes in bytes as they travel (escaped, UTF-8)."""

    reconnect: bool = True
    """Whether the client tries to come back when its connection is lost (``reconnect``)."""
    disabled: tuple[str, ...] = ()
    """Transports that the app does not use (``disable_protocols``, ``disable_websockets``)."""

    reservation: float = 45.0
    """How long a page's session waits for its first connection (FACTS S10)."""
    grace: float = 15.0
    """How long a session waits for its client to come back (FACTS S7)."""
    session_timeout: float = 0.0
    """A session ends when its visitor has done nothing for so long (``app_session_timeout``); 0: never."""
    connection_timeout: float = 0.0
    """A connection of Sheen's own client, which shows signs of life, is given up after so long without one; 0: never."""
    read_timeout: float = 0.0
    """A session ends when R has said nothing to it for so long; 0: never."""
    farewell: float = 60.0
    """How long an ended session is remembered, so that a client that comes back learns why it ended."""
    heartbeat: float = 25.0
    """A connection that was silent for so long gets ``h`` (``sockjs_heartbeat_delay``, FACTS S8): proxies on the way keep it, and a
    dead one shows itself, here by 410 and to the client by its silence. Costs an idle visitor 144 posts an hour (FACTS W8)."""
    ticket_renewal: float = 300.0
    """A ticket lives ten minutes; a fresh one goes to the client so often."""

    frame_limit: int = FRAME_TO_BROWSER - KB
    """The largest frame to a browser; a message that does not fit is sent in parts."""
    high_water: int = MB
    """With more than this waiting for the browser, or for R, the other side is not read."""
    max_message: int = 64 * MB
    """The largest message, in either direction."""

    reorder_bytes: int = 2 * MB
    """What may wait for an earlier message that is missing."""
    reorder_count: int = 1024
    """How many messages may wait for an earlier one that is missing."""
    resend_after: float = 3.0
    """A gap that stays open so long makes the receiver ask for the missing messages."""

    frame_rate: float = 500.0
    """Frames a second that a browser may send for long: twice what R can answer (FACTS R2), a twentieth of what the account may (W7)."""
    frame_burst: float = 2000.0
    """Frames that it may send at once: a message of 50 MB."""
    instance_bytes: int = 256 * MB
    """What may wait in all sessions of an instance together; above it the session that holds most is ended."""

    ack_delay: float = 1.0
    """An acknowledgement waits so long for a frame to travel with."""
    ack_bytes: int = 64 * KB
    """So much unacknowledged is acknowledged at once."""
    ack_count: int = 32
    """So many unacknowledged messages are acknowledged at once."""

    client_keepalive: float = 240.0
    """The client speaks when nothing was said for so long; the gateway cuts at 600 s (FACTS W2)."""
    client_refresh: float = 6600.0
    """The client moves to a fresh connection at this age; the gateway cuts at 7200 s (FACTS W2)."""
    client_grey: float = 3.0
    """The page greys out after being cut off for so long."""
    client_ack_delay: float = 20.0
    """The client's own ``ack_delay``: its lone acknowledgements each cost an invocation."""
    client_window: int = 512 * KB
    """The client sends so much ahead of what was acknowledged; well under ``reorder_bytes``."""
    client_window_count: int = 256
    """The client sends so many messages ahead of what was acknowledged; under ``reorder_count``."""

    @property
    def client_alive(self) -> float:
        """Sheen's client shows a sign of life when it said nothing for so long; 0: it need not."""
        return self.connection_timeout / 3

    @property
    def websocket(self) -> bool:
        """Whether the app is reached by WebSocket."""
        return "websocket" not in self.disabled

    @property
    def part_limit(self) -> int:
        """The largest part of a message: a frame less its brackets, number, channel and an acknowledgement."""
        return self.frame_limit - 128

    @property
    def unacknowledged_limit(self) -> int:
        """So much may come from Sheen's own client, in order, beyond the last acknowledgement: twice its window."""
        return 2 * self.client_window

    @property
    def buffer_limit(self) -> int:
        """The hard limit of what waits in one direction: the high water and one message above it, escaped."""
        return self.high_water + 2 * self.max_message
