"""The browser's end in Python: the same protocol as client/src/peer.ts, on the same core."""

from __future__ import annotations

from itertools import islice

from relay import hello, multiplex, robust, sockjs
from relay.chunks import Assembly, split
from relay.hello import Opening
from relay.settings import FRAME_FROM_BROWSER, RelaySettings

FRAME_LIMIT = FRAME_FROM_BROWSER - 512


class Peer:
    def __init__(
        self, robust_id: str, settings: RelaySettings, frame_limit: int = FRAME_LIMIT
    ) -> None:
        self.robust_id = robust_id
        self.settings = settings
        self.frame_limit = frame_limit
        self.out = robust.Outgoing(1 << 40)
        self.incoming = robust.Incoming(1 << 30, 1 << 20)
        self.assemblies: dict[str, Assembly] = {}
        self.attempt = 0
        self.greeted_ever = False
        self.greeted = False
        self.may_send = False
        self.controls: list[str] = []
        self.closed: sockjs.CloseFrame | None = None
        self.received: dict[str, list[str]] = {}
        self.closed_channels: dict[str, int] = {}
        self.ticket: str | None = None
        self.asked_at = 0.0
        self.pinged_at = 0.0
        self.pings = True

    def connect(self, now: float) -> str:
        self.attempt += 1
        self.greeted = self.may_send = False
        self.controls.clear()
        self.asked_at = self.pinged_at = now
        return hello.hello(
            Opening(self.robust_id, self.greeted_ever, True, self.attempt, self.incoming.next)
        )

    def send(self, channel: str, message: str) -> None:
        *parts, last = split(message, self.frame_limit - 128)
        for part in parts:
            self._queue(f"{channel}|p|{part}")
        self._queue(f"{channel}|m|{last}")

    def open(self, channel: str) -> None:
        self._queue(f"{channel}|o|")

    def _queue(self, payload: str) -> None:
        self.out.send(payload, sockjs.size(payload))

    def receive(self, frame: str, now: float) -> None:
        if self.closed:
            return
        decoded = sockjs.decode_server(frame)
        if decoded == "o":
            self.greeted = self.greeted_ever = True
            self.may_send = self.attempt == 1
        elif isinstance(decoded, sockjs.CloseFrame):
            self.closed = decoded
        elif isinstance(decoded, sockjs.MessagesFrame):
            for text in decoded.messages:
                self._message(text, now)

    def _message(self, text: str, now: float) -> None:
        if text.startswith(hello.PREFIX):
            control = hello.parse_control(text)
            if isinstance(control, hello.FreshTicket):
                self.ticket = control.ticket
            elif isinstance(control, hello.Pong) and not self.out.acknowledge(control.next):
                self.out.resume(max(control.next, self.out.acknowledged))
            return
        message = robust.parse(text)
        if isinstance(message, robust.Ack):
            self.out.acknowledge(message.next)
        elif isinstance(message, robust.Continue):
            if message.next >= self.out.acknowledged:
                self.out.resume(message.next)
            self.may_send = True
        else:
            for payload in self.incoming.receive(message, sockjs.size(message.payload), now):
                self._payload(payload)

    def _payload(self, payload: str) -> None:
        message = multiplex.parse(payload)
        assembly = self.assemblies.setdefault(message.channel, Assembly(1 << 30))
        if isinstance(message, multiplex.Message):
            self.received.setdefault(message.channel, []).append(assembly.last(message.text))
        elif isinstance(message, multiplex.Part):
            assembly.part(message.text)
        elif isinstance(message, multiplex.Close):
            self.closed_channels[message.channel] = message.code

    def tick(self, now: float) -> None:
        if not self.greeted:
            return
        gap = self.incoming.gap_since
        if gap is not None and now - max(gap, self.asked_at) >= self.settings.resend_after:
            self.asked_at = now
            self.controls.append(f"CONTINUE {self.incoming.next:X}")
        if self.pings and now - self.pinged_at >= 10:
            self.pinged_at = now
            self.controls.append(sockjs.escape(hello.control(hello.Ping(self.incoming.next))))

    def take(self, now: float) -> str | None:
        if not self.greeted or self.closed:
            return None
        elements, self.controls = self.controls, []
        room = self.frame_limit - 64 - sum(map(len, elements))
        while self.may_send and (entry := self.out.peek()) is not None:
            ahead = entry.number - self.out.acknowledged
            room -= entry.size + 20
            if ahead >= self.settings.client_window_count or (room < 0 and elements):
                break
            if ahead and self._bytes_ahead() + entry.size > self.settings.client_window:
                break
            elements.append(f"{entry.number:X}#{entry.payload}")
            self.out.advance()
        since = self.incoming.unacknowledged_since
        enough = self.incoming.unacknowledged_bytes >= self.settings.ack_bytes
        if since is not None and (elements or enough or now - since > 1):
            elements.append(f"ACK {self.incoming.acknowledging():X}")
        if not elements:
            return None
        return '["' + '","'.join(elements) + '"]'

    def _bytes_ahead(self) -> int:
        ahead = islice(self.out._entries, self.out.cursor - self.out.acknowledged)
        return sum(entry.size for entry in ahead)
