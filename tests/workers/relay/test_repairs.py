"""Each of the protocol's repairs alone: without those that would hide its absence, and with bounds
on what it may cost.

A network that loses nothing needs no repair, a move to a fresh connection needs no time, a gap
needs no ping, and what is lost last needs one ping and no new connection.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from random import Random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from relay.settings import RelaySettings
from tests.workers.relay.network import Link, Network

LIMITS = replace(
    RelaySettings(),
    grace=1e9,
    frame_limit=600,
    high_water=50_000,
    max_message=8000,
    heartbeat=1e9,
    farewell=1e9,
)
SCHEDULES = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
SEEDS = st.integers(0, 2**32)
QUICK = 0.01
"""Seconds between two steps: nothing is late enough to be asked for."""


def numbers(frame: str) -> list[int]:
    """The numbers of the messages in a frame of either side."""
    if frame[:1] not in "a[":
        return []
    return [
        int(text.partition("#")[0], 16)
        for text in json.loads(frame.removeprefix("a"))
        if text.partition("#")[1] and text[:1] != "S"
    ]


class Exact(Network):
    """Counts how often each message travels; connects and pings only when told to."""

    def __init__(self, seed: int) -> None:
        self.travelled_up: Counter[int] = Counter()
        self.travelled_down: Counter[int] = Counter()
        self.next_of: dict[str, int] = {}
        self.losing = 0.0
        self.accepted: set[str | None] = set()
        super().__init__(Random(seed), LIMITS)
        self.peer.pings = False

    def connect(self) -> None:
        super().connect()
        self.next_of[self.links[-1].name] = self.peer.incoming.next

    def browser_posts(self) -> None:
        link = self.links[-1]
        if link.alive and (frame := self.peer.take(self.now)) is not None:
            self.travelled_up.update(numbers(frame))
            if self.random.random() >= self.losing:
                link.up.append(frame)

    def agent_posts(self) -> None:
        for link in self.links:
            while (
                frame := self.session.take(link.name, self.settings.frame_limit, self.now)
            ) is not None:
                assert link is self.links[-1] or link.name == self.session.connection
                self.travelled_down.update(numbers(frame))
                assert min(numbers(frame), default=1 << 40) >= self.next_of[link.name], (
                    "what the client had said it has is sent again"
                )
                if link.alive and self.random.random() >= (self.losing if frame != "o" else 0.0):
                    link.down.append(frame)

    def step(self) -> None:
        for action, share in (
            (self.page_speaks, 0.3),
            (self.app_speaks, 0.3),
            (self.browser_posts, 0.7),
            (self.agent_posts, 0.7),
            (self.deliver_up, 0.8),
            (self.deliver_down, 0.8),
            (self.r_reads, 0.5),
            (self.tell_disconnect, 0.1),
        ):
            if self.random.random() < share:
                action()

    def tick(self, seconds: float) -> None:
        self.now += seconds
        self.peer.tick(self.now)
        self.apply(self.session.tick(self.now))

    def deliver_all(self) -> None:
        """Everything that is on its way arrives, and what is said to that, in no time."""
        for _ in range(200):
            self.browser_posts()
            self.agent_posts()
            for link in self.random.sample(self.links, len(self.links)):
                while link.up:
                    self._deliver(link)
            self.r_reads()
            self.agent_posts()
            while self.links[-1].down:
                self.deliver_down()

    def deliver_up(self) -> None:
        links = [link for link in self.links if link.up]
        if links:
            link = self.random.choice(links)
            if self.random.random() < 0.15:  # it comes once more
                link.up.append(self.random.choice(link.up))
            self._deliver(link)

    def _deliver(self, link: Link) -> None:
        frame = link.up.pop(self.random.randrange(len(link.up)))
        self.apply(self.session.receive(link.name, frame, self.now))
        self.accepted.add(self.session.connection)
        if link.name in self.accepted:
            # Whichever of the client's connections brought it, now or before, it is not asked for
            # again.
            incoming = self.session._in
            assert all(
                number < incoming.next or number in incoming._early for number in numbers(frame)
            )

    @property
    def arrived(self) -> bool:
        return self.got_up == self.sent_up and self.peer.received.get("0", []) == self.sent_down

    @property
    def acknowledged(self) -> bool:
        return self.peer.out.bytes == 0 and self.session.waiting_out == 0

    def seconds_until(self, most: float, done: str) -> float:
        """The model's seconds until all has arrived, or has been acknowledged."""
        began = self.now
        while not getattr(self, done):
            self.deliver_all()
            if getattr(self, done):
                break
            self.tick(0.1)
            assert self.now - began <= most, f"not {done} after {most} s"
        return self.now - began


@SCHEDULES
@given(seed=SEEDS, steps=st.integers(1, 250))
def test_without_losses_each_message_travels_once_and_all_are_acknowledged(
    seed: int, steps: int
) -> None:
    network = Exact(seed)
    for _ in range(steps):
        network.step()
        network.tick(QUICK)
    network.seconds_until(0.0, "arrived")
    network.seconds_until(LIMITS.ack_delay + 0.2, "acknowledged")
    assert set(network.travelled_up.values()) <= {1}
    assert set(network.travelled_down.values()) <= {1}


@SCHEDULES
@given(seed=SEEDS, steps=st.integers(1, 250), moves=st.integers(1, 4))
def test_a_move_needs_no_time_and_late_frames_of_the_old_connection_harm_nothing(
    seed: int, steps: int, moves: int
) -> None:
    network = Exact(seed)
    at = {network.random.randrange(steps) for _ in range(moves)}
    for step in range(steps):
        network.step()
        if step in at:
            # Its hello may come twice, before or after that of the one before (FACTS H4, W4).
            network.connect()
            network.links[-1].up *= network.random.choice((1, 2))
        network.tick(QUICK)
    network.seconds_until(0.0, "arrived")
    network.seconds_until(LIMITS.ack_delay + 0.2, "acknowledged")
    most = 1 + len(network.links)
    assert max(network.travelled_up.values(), default=0) <= most
    assert max(network.travelled_down.values(), default=0) <= most
    assert network.session.connection == network.links[-1].name


@SCHEDULES
@given(seed=SEEDS, steps=st.integers(1, 250))
def test_a_gap_is_asked_for_without_a_ping_or_a_new_connection(seed: int, steps: int) -> None:
    network = Exact(seed)
    network.deliver_all()
    network.losing = 0.2
    for _ in range(steps):
        network.step()
        network.tick(QUICK)
    network.losing = 0.0
    # Something later shows each side that it misses something.
    network.next_of = dict.fromkeys(network.next_of, 0)
    network.page_speaks()
    network.app_speaks()
    network.seconds_until(2 * LIMITS.resend_after, "arrived")
    assert len(network.links) == 1


@SCHEDULES
@given(seed=SEEDS, steps=st.integers(1, 250))
def test_what_is_lost_last_is_found_by_a_ping_without_a_new_connection(
    seed: int, steps: int
) -> None:
    network = Exact(seed)
    network.deliver_all()
    network.losing = 0.3
    for _ in range(steps):
        network.step()
        network.tick(QUICK)
    network.losing = 0.0
    network.peer.pings = True
    network.seconds_until(22.0 + 2 * LIMITS.resend_after, "arrived")
    assert len(network.links) == 1
