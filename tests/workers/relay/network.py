"""A network that may do to a session whatever FACTS W allows, played from one random source."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

from relay.errors import AppExited, Ending
from relay.events import ChannelOpened, Ended, Event, MessageReceived, TicketDue
from relay.session import Session
from relay.settings import RelaySettings
from tests.support.relay_peer import Peer


@dataclass
class Link:
    name: str
    up: list[str] = field(
        default_factory=list
    )  # frames on their way to the agent: any order, any number of times
    down: list[str] = field(default_factory=list)  # frames on their way to the browser: in order
    alive: bool = True  # the browser's view
    gone: bool = False  # the agent was told


class Network:
    def __init__(
        self, random: Random, settings: RelaySettings, size: int = 40, peer: Any = None
    ) -> None:
        self.random = random
        self.settings = settings
        self.size = size
        self.now = 0.0
        self.session = Session("s", settings, self.now)
        self.peer = peer or Peer("ABC123", settings, frame_limit=400)
        self.links: list[Link] = []
        self.sent_up: list[str] = []
        self.sent_down: list[str] = []
        self.got_up: list[str] = []
        self.unconsumed: list[int] = []
        self.ended: Ending | None = None
        self.channel_open = False
        self.connect()
        self.peer.open("0")

    # What may happen

    def connect(self) -> None:
        for link in self.links:
            link.alive = False
        link = Link(f"c{len(self.links)}")
        link.up.append(self.peer.connect(self.now))
        self.links.append(link)

    def cut(self) -> None:
        link = self.links[-1]
        link.alive = False
        link.down.clear()
        if self.random.random() < 0.5:
            link.up.clear()

    def page_speaks(self) -> None:
        message = f"{len(self.sent_up)}:" + self._text()
        self.sent_up.append(message)
        self.peer.send("0", message)

    def app_speaks(self) -> None:
        if self.channel_open and self.session.writable and not self.session.over:
            message = f"{len(self.sent_down)}:" + self._text()
            self.sent_down.append(message)
            self.apply(self.session.send("0", message, self.now))

    def browser_posts(self) -> None:
        link = self.links[-1]
        if link.alive and (frame := self.peer.take(self.now)) is not None:
            assert len(frame.encode()) <= self.peer.frame_limit
            link.up.append(frame)

    def agent_posts(self) -> None:
        for link in self.links:
            frame = self.session.take(link.name, self.settings.frame_limit, self.now)
            if frame is None:
                continue
            assert len(frame.encode()) <= self.settings.frame_limit
            if link.alive:
                link.down.extend(
                    [frame] * (2 if self.random.random() < 0.1 and frame != "o" else 1)
                )
            elif self.random.random() < 0.5 and not link.gone:  # 410
                link.gone = True
                self.apply(self.session.detach(link.name, self.now))

    def deliver_up(self) -> None:
        links = [link for link in self.links if link.up]
        if not links:
            return
        link = self.random.choice(links)
        index = self.random.randrange(len(link.up))
        frame = link.up[index]
        if self.random.random() > 0.15:  # else it comes once more
            del link.up[index]
        self.apply(self.session.receive(link.name, frame, self.now))

    def lose_up(self) -> None:
        link = self.links[-1]
        if link.up and not link.up[0].startswith("{"):
            link.up.pop(self.random.randrange(len(link.up)))

    def deliver_down(self) -> None:
        link = self.links[-1]
        if link.alive and link.down:
            self.peer.receive(link.down.pop(0), self.now)

    def tell_disconnect(self) -> None:
        links = [link for link in self.links if not link.alive and not link.gone]
        if links:
            link = self.random.choice(links)
            link.gone = True
            self.apply(self.session.detach(link.name, self.now))

    def r_reads(self) -> None:
        while self.unconsumed:
            self.session.consumed(self.unconsumed.pop())

    def pass_time(self, most: float = 2.0) -> None:
        self.now += self.random.random() * most
        self.peer.tick(self.now)
        self.apply(self.session.tick(self.now))

    def app_dies(self) -> None:
        if self.random.random() < 0.02:
            self.apply(self.session.end(AppExited().ending, self.now))

    # Playing

    def play(self, steps: int, *, fatal: bool) -> None:
        actions = [
            (self.page_speaks, 4),
            (self.app_speaks, 4),
            (self.browser_posts, 5),
            (self.agent_posts, 5),
            (self.deliver_up, 8),
            (self.deliver_down, 8),
            (self.lose_up, 0.3),
            (self.pass_time, 1),
            (self.tell_disconnect, 1),
            (self.cut, 0.5),
            (self.connect, 1),
            (self.r_reads, 2),
            (self.app_dies, 1 if fatal else 0),
        ]
        functions = [action for action, _ in actions]
        weights = [weight for _, weight in actions]
        for _ in range(steps):
            action = self.random.choices(functions, weights)[0]
            if action == self.connect and self.links[-1].alive and self.random.random() < 0.8:
                continue
            action()

    def settle(self) -> None:
        """The network behaves again; what is on its way arrives, in any order of connections."""
        if not (self.links[-1].alive and self.peer.greeted and self.random.random() < 0.7):
            self.connect()
        for _ in range(400):
            for _ in range(100):
                self.browser_posts()
                self.agent_posts()
            for link in self.random.sample(self.links, len(self.links)):
                while link.up:
                    frame = link.up.pop(self.random.randrange(len(link.up)))
                    self.apply(self.session.receive(link.name, frame, self.now))
            self.agent_posts()
            while self.links[-1].down:
                self.deliver_down()
            self.r_reads()
            self.pass_time(3.0)
            arrived = (
                self.got_up == self.sent_up and self.peer.received.get("0", []) == self.sent_down
            )
            if self.peer.closed or arrived:
                break

    def apply(self, events: list[Event]) -> None:
        for event in events:
            match event:
                case MessageReceived(_, text, size):
                    self.got_up.append(text)
                    self.unconsumed.append(size)
                case ChannelOpened():
                    self.channel_open = True
                case TicketDue():
                    self.session.renew("ticket", self.now)
                case Ended(ending):
                    assert self.ended is None
                    self.ended = ending

    def _text(self) -> str:
        alphabet = 'ab"\\\n\u2028é€😀\x01'
        length = int(
            self.size * self.random.random() ** 3 * (20 if self.random.random() < 0.1 else 1)
        )
        return "".join(self.random.choices(alphabet, k=length))


LIMITS = replace(
    RelaySettings(),
    grace=1e9,
    frame_limit=600,
    high_water=4000,
    max_message=8000,
    heartbeat=20.0,
    farewell=1e9,
)
