"""Random frames and spoiled ones.

A parser raises only ProtocolError, a session nothing.

``SHEEN_FUZZ_SEED`` replays a round: each has a seed of its own, which a failure names.
``SHEEN_FUZZ_ROUNDS`` says how many rounds each test tries.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from random import Random

from relay import hello, multiplex, robust, sockjs
from relay.errors import AppExited, ProtocolError
from relay.events import Event, MessageReceived, TicketDue
from relay.hello import Opening
from relay.session import Session
from relay.settings import RelaySettings
from tests.support.effort import amount, seed

ROUNDS = int(os.environ.get("SHEEN_FUZZ_ROUNDS") or amount(2_000))
SEED = os.environ.get("SHEEN_FUZZ_SEED")

PARSERS = (
    sockjs.decode_client,
    sockjs.decode_server,
    robust.parse,
    robust.parse_number,
    multiplex.parse,
    hello.parse_hello,
    hello.parse_control,
)
CORPUS = (
    '{"sheen":1,"id":"A","resume":false,"attempt":1,"next":"0"}',
    '{"sheen":1,"id":"A","resume":true,"attempt":2,"next":"1F"}',
    'SHEEN {"ping":"0"}',
    'SHEEN {"pong":"A"}',
    'SHEEN {"ticket":"x.y"}',
    "0#0|o|websocket/",
    '1#0|m|{"method":"update","data":{"n":1}}',
    "2#0|p|part",
    '3#0|c|{"code":1000,"reason":"bye"}',
    "ACK 1F",
    "CONTINUE 0",
    '["0#0|o|","1#0|m|é\\u2028\\ud83d\\ude00"]',
    'a["0#0|m|x","ACK 1"]',
    'c[4705,"gone"]',
    "o",
    "h",
    "[]",
)
PIECES = (
    "", "[", "]", "{", "}", '"', "\\", ",", ":", "#", "|", "\\u", "\\ud800", "\ud800", "\udfff", "😀", "\x00", "\u2028", "\n",  # noqa: E501
    " ", "-", "0", "F", "1e999", "NaN", "Infinity", "true", "null", "FFFFFFFFFFFF", "ACK ", "CONTINUE ", "SHEEN ", "o", "m", "p", "c",  # noqa: E501
    "[[[[", "9" * 5000, "[" * 2000,
)  # fmt: skip

SMALL = replace(
    RelaySettings(),
    high_water=2000,
    max_message=4000,
    reorder_bytes=3000,
    reorder_count=40,
    client_window=3000,
    frame_limit=600,
)
BOUND = SMALL.buffer_limit * 2 + SMALL.max_message + 2 * SMALL.reorder_bytes + 4 * 100_000
"""Both directions, parts, what waits for its turn or introduction, and the frames themselves."""


def rounds(name: str) -> Iterator[tuple[str, Random]]:
    """Give random sources, each with the seed that replays it."""
    if SEED:
        yield SEED, Random(SEED)
        return
    base = seed("SHEEN_FUZZ_SEED")
    for number in range(ROUNDS):
        yield f"{name}-{base}-{number}", Random(f"{name}-{base}-{number}")
    sys.stderr.write(f"\nfuzz: {ROUNDS} rounds of {name}\n")


def spoil(random: Random, text: str) -> str:
    """``text`` with a few changes."""
    for _ in range(random.choice((0, 1, 1, 2, 5))):
        at = random.randrange(len(text) + 1)
        match random.randrange(6):
            case 0:
                text = text[:at] + random.choice(PIECES) + text[at:]
            case 1:
                text = text[:at] + text[at + random.randrange(1, 6) :]
            case 2:
                text = (
                    text[:at]
                    + chr(random.choice((random.randrange(128), random.randrange(0x110000))))
                    + text[at + 1 :]
                )
            case 3:
                text = text[:at] + random.choice(CORPUS)
            case 4:
                text += text[at:]
            case 5:
                text = json.dumps([text]) if random.random() < 0.5 else random.choice("ac") + text
        text = text[:20_000]
    return text


def anything(random: Random) -> str:
    """Nothing that was ever a frame."""
    if random.random() < 0.5:
        return "".join(random.choices(PIECES, k=random.randrange(12)))
    return "".join(chr(random.randrange(0x110000)) for _ in range(random.randrange(30)))


def test_parsers_raise_nothing_but_protocol_errors() -> None:
    for replay, random in rounds("parsers"):
        for _ in range(50):
            text = (
                anything(random) if random.random() < 0.2 else spoil(random, random.choice(CORPUS))
            )
            for parser in PARSERS:
                try:
                    with suppress(ProtocolError):
                        parser(text)
                except BaseException as error:
                    raise AssertionError(
                        f"SHEEN_FUZZ_SEED={replay}: {parser.__name__}({text!r}) raised {error!r}"
                    ) from error


class Fuzzed:
    """A session that is dragged through any state by any frame, with enough true ones that it comes
    far.
    """

    def __init__(self, random: Random) -> None:
        self.random = random
        self.now = 0.0
        self.noise = random.choice((0.0, 0.003, 0.03, 0.3))
        self.unconsumed: list[int] = []
        self.session = Session("s", SMALL, self.now)
        self.ended = 0
        self.attempt = 1
        self.names = list("abcd")

    def step(self) -> None:
        random, session = self.random, self.session
        connection = random.choice(self.names)
        match random.randrange(16):
            case 0 | 1 | 2 | 3:
                self._apply(session.receive(self._likely(connection), self._true_frame(), self.now))
            case 4 | 5:
                frame = self._true_frame()
                if random.random() < self.noise:
                    frame = spoil(random, frame) if random.random() < 0.7 else anything(random)
                self._apply(session.receive(self._likely(connection), frame, self.now))
            case 6:
                self._apply(session.receive(connection, self._hello(), self.now))
            case 7:
                if random.random() > self.noise and session.robust_id is not None:
                    return
                opening = Opening(
                    random.choice((None, "A", "B")),
                    random.random() < 0.5,
                    random.random() < 0.3,
                    random.randrange(5),
                )
                self._apply(session.attach(connection, opening, self.now))
            case 8:
                self._apply(session.detach(connection, self.now))
                # An id that has ended comes once more at most, late.
                self.names[random.randrange(len(self.names))] = f"c{random.getrandbits(30)}"
            case 9 | 10:
                # A session that is not writable is not written to; now and then it is, all the
                # same.
                if session.writable or random.random() < 0.05:
                    self._apply(
                        session.send(
                            random.choice("0001"), "é\n" * random.randrange(1500), self.now
                        )
                    )
            case 11 | 12:
                self._take(connection)
            case 13:
                self.now += random.choice((0.01, 0.5, 3.0, 20.0))
                self._apply(session.tick(self.now))
            case 14:
                while self.unconsumed and random.random() < 0.9:
                    session.consumed(self.unconsumed.pop(0))
            case 15:
                if random.random() < self.noise / 5:
                    self._apply(
                        session.end(AppExited().ending, self.now, flush=random.random() < 0.5)
                    )
                elif random.random() < self.noise / 5:
                    self._apply(
                        session.close_channel(
                            random.choice("01"), random.choice((1000, 4503)), "bye", self.now
                        )
                    )
        assert session.waiting <= BOUND, f"{session.waiting} bytes are held"
        assert self.ended == (session.ending is not None)
        session.due(self.now)

    def _likely(self, connection: str) -> str:
        current = self.session.connection
        return current if current is not None and self.random.random() < 0.8 else connection

    def _true_frame(self) -> str:
        """What a client may say now; a little of it out of date, or too early."""
        random = self.random
        texts = []
        for count in range(random.randrange(1, 4)):
            match random.randrange(8):
                case 0 | 1 | 2 | 3:
                    number = (
                        self.session._in.next + count + random.choice((0, 0, 0, 0, 0, 1, -1, 5))
                    )
                    payload = random.choice(("0|m|", "0|m|", "1|m|", "0|p|", "7|m|"))
                    payload += "x" * random.choice((3, 30, random.randrange(1500)))
                    if random.random() < self.noise:
                        payload = random.choice(("0|c|", "1|c|", "1|o|", "0|o|"))
                    texts.append(
                        f"{max(number, 0):X}#{'0|o|' if number == 0 else '1|o|' if number == 1 else payload}"  # noqa: E501
                    )
                case 4 | 5 | 6:
                    texts.append(f"{random.choice(('ACK', 'ACK', 'CONTINUE'))} {self._heard():X}")
                case 7:
                    texts.append(f'SHEEN {{"ping":"{self._heard():X}"}}')
        return json.dumps(texts)

    def _heard(self) -> int:
        """How much of what was said the client may have."""
        if self.random.random() < self.noise / 10:
            return self.random.randrange(1 << 16)
        said = self.session._out.messages
        return self.random.randint(said.acknowledged, max(said.acknowledged, said.cursor))

    def _hello(self) -> str:
        random = self.random
        robust_id = "A" if random.random() < 0.95 else "B"
        self.attempt += random.random() < 0.5
        return hello.hello(
            Opening(
                robust_id,
                self.attempt > 1 and random.random() < 0.9,
                True,
                self.attempt,
                self._heard(),
            )
        )

    def _take(self, connection: str) -> None:
        for _ in range(20):
            frame = self.session.take(self._likely(connection), 1 << 17, self.now)
            if frame is None:
                return
            sockjs.decode_server(frame)
            frame.encode()

    def _apply(self, events: list[Event]) -> None:
        for event in events:
            match event:
                case MessageReceived(size=size):
                    self.unconsumed.append(size)
                case TicketDue():
                    self.session.renew("ticket", self.now)
                case _:
                    self.ended += type(event).__name__ == "Ended"


def test_a_session_in_any_state_raises_nothing_and_stays_bounded() -> None:
    for replay, random in rounds("session"):
        fuzzed = Fuzzed(random)
        for step in range(300):
            try:
                fuzzed.step()
            except BaseException as error:
                raise AssertionError(f"SHEEN_FUZZ_SEED={replay}, step {step}: {error!r}") from error
