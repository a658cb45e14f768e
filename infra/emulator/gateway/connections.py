"""An open WebSocket connection: frames, buffers, and limits of idleness and age.

The rules are FACTS W1, W2 and W6. The connection stands between aiohttp's HTTP protocol, which
hands over what it reads after the upgrade, and the I/O-free protocol of the `websockets` package.
Nothing here waits: bytes come in by a call, and go out by a call on the transport.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress

from websockets.frames import CloseCode, Frame, Opcode
from websockets.protocol import State
from websockets.server import ServerProtocol

from infra.emulator.clock import Clock
from infra.emulator.faults import Faults
from infra.emulator.gateway.events import SocketContext
from infra.emulator.gateway.limits import GatewayLimits

GOING_AWAY = "Going away"
# The reasons that `$disconnect` gets if the client gave none.
_REASONS: dict[int, str] = {
    CloseCode.NORMAL_CLOSURE: "Connection Closed Normally",
    CloseCode.GOING_AWAY: GOING_AWAY,
    CloseCode.NO_STATUS_RCVD: "Client-side close frame status not set",
    CloseCode.ABNORMAL_CLOSURE: "Connection closed abnormally",
}


class ConnectionGone(Exception):
    """The connection is closed or about to close."""


class ClientBufferFull(Exception):
    """The client reads more slowly than it is sent to (FACTS W7)."""


class ClientConnection:
    """A client's connection, from the answered handshake to the end of its transport.

    `on_message` is called with each whole text message that may be handled now. Each call must lead
    to one later call of `finished`. `on_lost` is called once, at the end.
    """

    __slots__ = (
        "_clock",
        "_close_sent",
        "_faults",
        "_gathered",
        "_gathering",
        "_half_open",
        "_in_flight",
        "_last_active",
        "_limits",
        "_lost",
        "_on_lost",
        "_on_message",
        "_opened",
        "_paused",
        "_protocol",
        "_sent",
        "_timer",
        "_transport",
        "_waiting",
        "_watchdog",
        "arrived",
        "ordinal",
        "posts",
        "visitor",
    )

    def __init__(
        self,
        visitor: SocketContext,
        ordinal: int,
        transport: asyncio.Transport,
        protocol: ServerProtocol,
        *,
        clock: Clock,
        limits: GatewayLimits,
        faults: Faults,
        on_message: Callable[[ClientConnection, str], None],
        on_lost: Callable[[ClientConnection], None],
    ) -> None:
        self.visitor = visitor
        self.ordinal = ordinal
        self.arrived = 0  # messages from the client
        self.posts = 0  # posts to the client
        self._transport = transport
        self._protocol = protocol
        self._clock = clock
        self._limits = limits
        self._faults = faults
        self._on_message = on_message
        self._on_lost = on_lost
        self._gathered = bytearray()
        self._gathering = False
        self._half_open = False
        self._waiting: deque[str] = deque()
        self._in_flight = 0
        self._paused = False
        self._sent = 0
        self._close_sent: tuple[int, str] | None = None
        self._lost = False
        self._watchdog: asyncio.TimerHandle | None = None
        self._opened = self._last_active = clock.monotonic()
        self._timer = clock.call_at(self._deadline(), self._expire)

    @property
    def is_open(self) -> bool:
        """Whether messages can still be sent."""
        return not self._lost and self._close_sent is None and self._protocol.state is State.OPEN

    @property
    def last_active(self) -> float:
        """Wall time of the last message, in either direction."""
        return self._clock.time() - (self._clock.monotonic() - self._last_active)

    # Methods that aiohttp calls, as on its own WebSocket reader.

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        """Handle the bytes that were read."""
        if not self._lost and not self._half_open:
            self._protocol.receive_data(data)
            for frame in self._protocol.events_received():
                if isinstance(frame, Frame) and self._close_sent is None and not self._half_open:
                    self._take(frame)
            self._flush()
            if self._transport.get_write_buffer_size() > 2 * self._limits.client_buffer:
                # Only answers to PINGs can reach this limit: the client asks and never reads.
                self.abort()
        return False, b""

    def feed_eof(self) -> None:
        """Handle the end of the transport."""
        if self._lost:
            return
        self._lost = True
        self._protocol.receive_eof()
        self._timer.cancel()
        if self._watchdog is not None:
            self._watchdog.cancel()
        self._on_lost(self)

    # Incoming frames.

    def _take(self, frame: Frame) -> None:
        opcode = frame.opcode
        if opcode is Opcode.TEXT:
            if frame.fin:
                self._arrive(bytes(frame.data))
            else:
                self._gathering = True
                self._gathered += frame.data
        elif opcode is Opcode.CONT and self._gathering:
            self._gathered += frame.data
            if frame.fin:
                whole = bytes(self._gathered)
                self._gathered.clear()
                self._gathering = False
                self._arrive(whole)
        elif opcode is Opcode.BINARY:
            self._fail(CloseCode.UNSUPPORTED_DATA, "binary messages are not supported")  # W6
        # The protocol answers PING with PONG by itself. On AWS a message ends idleness, but a
        # control frame is not sure to (W2). Neither PING nor PONG counts as activity here, so that
        # what stays alive on this gateway stays alive on AWS's.

    def _arrive(self, data: bytes) -> None:
        try:
            text = data.decode()
        except UnicodeDecodeError:
            self._fail(CloseCode.INVALID_DATA, "not UTF-8")
            return
        self._last_active = self._clock.monotonic()
        if self._in_flight < self._limits.in_flight:
            self._in_flight += 1
            self._on_message(self, text)
            return
        self._waiting.append(text)
        if not self._transport.is_closing():
            self._paused = True
            self._transport.pause_reading()

    def finished(self) -> None:
        """Note that a message has been handled, so that another may be."""
        if self._waiting:
            self._on_message(self, self._waiting.popleft())
            return
        self._in_flight -= 1
        if self._paused and self._in_flight <= self._limits.in_flight // 2:
            self._resume()

    def _resume(self) -> None:
        if self._paused and not self._transport.is_closing():
            self._transport.resume_reading()
        self._paused = False

    # Outgoing frames.

    def send(self, data: bytes) -> None:
        """Send a text message, in frames of at most 32 KB (FACTS W1).

        Raise ConnectionGone, or ClientBufferFull if too much is already waiting for the client;
        nothing is sent then.
        """
        if not self.is_open or self._transport.is_closing():
            raise ConnectionGone(self.visitor.connection_id)
        if self._transport.get_write_buffer_size() + len(data) > self._limits.client_buffer:
            raise ClientBufferFull(self.visitor.connection_id)
        size = self._limits.frame
        if len(data) <= size:
            self._protocol.send_text(data)
        else:
            view = memoryview(data)
            self._protocol.send_text(view[:size], fin=False)
            for start in range(size, len(data), size):
                self._protocol.send_continuation(
                    view[start : start + size], fin=start + size >= len(data)
                )
        self._last_active = self._clock.monotonic()
        if self._faults.on:
            self._sent += 1
            part = self._faults.outgoing(self.ordinal, self._sent)
            if part is not None:
                wire = b"".join(self._protocol.data_to_send())
                self.cut(wire[: int(part * len(wire))])
                return
        self._flush()

    def half_open(self) -> None:
        """Let nothing through in either direction any more, as if the client's network were gone.

        Neither side is told, and sends appear to succeed. The limits of idleness and age end the
        connection (W2).
        """
        self._half_open = True

    def _flush(self) -> None:
        ended = False
        for piece in self._protocol.data_to_send():
            if not piece:
                ended = True
            elif self._half_open and self._close_sent is None:
                continue
            elif not self._lost and not self._transport.is_closing():
                self._transport.write(piece)
        if ended:
            self._end()

    # The end.

    def close(self, code: int = CloseCode.NORMAL_CLOSURE, reason: str = "") -> None:
        """Close with a code and reason; ignore what the client still sends."""
        if self.is_open:
            self._fail(code, reason)

    def _fail(self, code: int, reason: str) -> None:
        self._close_sent = (code, reason)
        self._protocol.fail(code, reason)
        self._flush()

    def _end(self) -> None:
        """Half-close the transport after the close frame, and wait a while for the client.

        The half-close makes the frame arrive. The client should then do the same.
        """
        if self._lost or self._watchdog is not None:
            return
        self._resume()  # its end cannot be seen without reading
        if self._transport.can_write_eof() and not self._transport.is_closing():
            # The client may have reset the connection. The transport finds out by itself.
            with suppress(OSError):
                self._transport.write_eof()
        loop = asyncio.get_running_loop()
        self._watchdog = loop.call_later(self._limits.close_timeout, self._transport.abort)

    def cut(self, last: bytes = b"") -> None:
        """End the transport after these bytes without a close frame, like a broken network."""
        if self._lost or self._close_sent is not None:
            return
        self._close_sent = (CloseCode.ABNORMAL_CLOSURE, "")
        if last:
            self._transport.write(last)
        self._resume()
        self._transport.close()
        loop = asyncio.get_running_loop()
        self._watchdog = loop.call_later(self._limits.close_timeout, self._transport.abort)

    def abort(self) -> None:
        """End the transport at once and drop unsent bytes."""
        if not self._lost:
            self._transport.abort()

    @property
    def close_code(self) -> tuple[int, str]:
        """The code and reason for `$disconnect`: the client's, otherwise the gateway's own."""
        received, failed = self._protocol.close_rcvd, self._protocol.close_sent
        if self._close_sent is not None:
            code, reason = self._close_sent
        elif received is not None:
            code, reason = received.code, received.reason
        elif failed is not None:
            code, reason = failed.code, failed.reason
        else:
            code, reason = CloseCode.ABNORMAL_CLOSURE, ""
        return int(code), reason or _REASONS.get(code, "")

    # Time.

    def _deadline(self) -> float:
        return min(self._last_active + self._limits.idle, self._opened + self._limits.age)

    def _expire(self) -> None:
        deadline = self._deadline()
        # A message may have come since the timer was set. Frames do not set timers.
        if self._clock.monotonic() < deadline:
            self._timer = self._clock.call_at(deadline, self._expire)
        else:
            self.close(CloseCode.GOING_AWAY, GOING_AWAY)  # W2
