"""Faults of the network and of AWS, made on purpose.

Each decision is drawn from the seed, the kind of event, the connection's ordinal and the event's
ordinal in the connection, and from nothing else. The same seed therefore does the same to the
seventh message of the third connection, whatever runs at the same time.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from hashlib import blake2b
from typing import NamedTuple

from infra.emulator.transfer_faults import TransferFate


@dataclass(frozen=True)
class FaultRates:
    """Rates of all faults: shares from 0 to 1, spans in seconds; all are off by default."""

    seed: int = 0
    # Messages held back up to `spread`, so that later ones overtake them (FACTS W4).
    reorder: float = 0.0
    double: float = 0.0  # messages invoked twice, the second up to `spread` later (H4)
    delay: float = 0.0  # posts and REST requests held back up to `spread`
    spread: float = 0.05
    # Connections cut while a message comes in, or at some byte of one that goes out.
    cut: float = 0.0
    # Messages at which the client's network goes away, without either side being told.
    half_open: float = 0.0
    drop_disconnect: float = 0.0  # `$disconnect` never invoked (W3)
    delay_disconnect: float = 0.0  # `$disconnect` invoked up to `disconnect_spread` later
    disconnect_spread: float = 5.0
    post_410: float = 0.0  # posts that find the connection gone: it is cut with that answer (W7)
    post_429: float = 0.0  # posts refused by throttling (W7)
    post_504: float = 0.0  # posts that time out, every second one after it was delivered
    # Calls of RunTask that start no task, because ECS has no room. The answer is no ECS error.
    no_capacity: float = 0.0
    # DataSync's executions that end with an error after part of the files is copied.
    transfer_fail: float = 0.0
    # DataSync's executions that begin and never make progress.
    transfer_stall: float = 0.0
    # DataSync's executions whose events never arrive (E7).
    transfer_lose: float = 0.0
    # Table records that no function gets, as while a mapping that begins at LATEST is created.
    stream_lose: float = 0.0
    rest_504: float = 0.0  # REST requests that time out after the function ran (H1)


SPANS = frozenset({"spread", "disconnect_spread"})
LONGEST_SPAN = 600.0


class MessageFate(NamedTuple):
    """The fate of an incoming message: when its invocations start, or that it never arrives.

    The starts are in seconds from now.
    """

    starts: tuple[float, ...] = (0.0,)
    cut: bool = False
    half_open: bool = False


class PostFate(NamedTuple):
    """The fate of a post: seconds to wait, the answer's status, and whether it is delivered.

    With None as status, the answer is the true one.
    """

    delay: float = 0.0
    status: int | None = None
    delivered: bool = True


class RequestFate(NamedTuple):
    """The fate of a REST request: seconds to wait, and whether a 504 replaces its answer."""

    delay: float = 0.0
    timeout: bool = False


def draw(seed: int, kind: str, connection: int, event: int) -> float:
    """Return a number from 0 to below 1, which depends only on the arguments.

    Numbers for different arguments are unrelated.
    """
    digest = blake2b(f"{seed}/{kind}/{connection}/{event}".encode(), digest_size=8).digest()
    return (int.from_bytes(digest, "big") >> 11) / (1 << 53)  # 53 bits: the precision of a float


def rates_from(settings: Mapping[str, object]) -> FaultRates:
    """Return the rates for settings from the wire; what they do not name is off.

    Raise ValueError that names the key and what is wrong.
    """
    known = [field.name for field in fields(FaultRates)]
    for key, value in settings.items():
        if key not in known:
            raise ValueError(f"faults: unknown setting {key!r}; known are {', '.join(known)}")
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float)
            or not math.isfinite(value)
        ):
            raise ValueError(f"faults: {key} = {value!r}: not a number")
        if key == "seed":
            if not isinstance(value, int):
                raise ValueError(f"faults: seed = {value!r}: must be a whole number")
        elif key in SPANS:
            if not 0 <= value <= LONGEST_SPAN:
                raise ValueError(
                    f"faults: {key} = {value}: must be from 0 to {LONGEST_SPAN:.0f} seconds"
                )
        elif not 0 <= value <= 1:
            raise ValueError(f"faults: {key} = {value}: a share, must be from 0 to 1")
    return FaultRates(**settings)  # type: ignore[arg-type]  # checked above, key by key


class Faults:
    """The present faults, and the ordinals of connections and requests for drawing them."""

    def __init__(self, rates: FaultRates | None = None) -> None:
        self.on = False
        self.rates = FaultRates()
        self._connections = 0
        self._requests = 0
        self._set(rates or FaultRates())

    def configure(self, settings: Mapping[str, object]) -> dict[str, object]:
        """Replace all faults, start counting connections anew, and return all settings.

        `{}` switches every fault off. Raise ValueError for an unknown key or an unusable value;
        nothing changes then.
        """
        self._set(rates_from(settings))
        return asdict(self.rates)

    def _set(self, rates: FaultRates) -> None:
        shares = (
            value for key, value in asdict(rates).items() if key != "seed" and key not in SPANS
        )
        self.rates = rates
        self.on = any(shares)
        self._connections = 0
        self._requests = 0

    def next_connection(self) -> int:
        """Return the ordinal, from 1, of a connection that opens now."""
        self._connections += 1
        return self._connections

    def next_request(self) -> int:
        """Return the ordinal, from 1, of a REST request that begins now."""
        self._requests += 1
        return self._requests

    def _happens(self, share: float, kind: str, connection: int, event: int) -> bool:
        return share > 0 and draw(self.rates.seed, kind, connection, event) < share

    def _part(self, kind: str, connection: int, event: int) -> float:
        return draw(self.rates.seed, kind, connection, event)

    def message(self, connection: int, event: int) -> MessageFate:
        """Return the fate of a connection's event-th incoming message."""
        if not self.on:
            return MessageFate()
        rates = self.rates
        if self._happens(rates.cut, "cut-in", connection, event):
            return MessageFate((), cut=True)
        if self._happens(rates.half_open, "half-open", connection, event):
            return MessageFate((), half_open=True)
        first = 0.0
        if self._happens(rates.reorder, "reorder", connection, event):
            first = rates.spread * self._part("reorder-by", connection, event)
        if self._happens(rates.double, "double", connection, event):
            return MessageFate(
                (first, first + rates.spread * self._part("double-by", connection, event))
            )
        return MessageFate((first,))

    def outgoing(self, connection: int, event: int) -> float | None:
        """Return where the event-th outgoing message is cut with its connection, or None.

        The cut is a part of the message's bytes, from 0 to below 1.
        """
        if self.on and self._happens(self.rates.cut, "cut-out", connection, event):
            return self._part("cut-at", connection, event)
        return None

    def post(self, connection: int, event: int) -> PostFate:
        """Return the fate of the event-th post to a connection."""
        if not self.on:
            return PostFate()
        rates = self.rates
        delay = 0.0
        if self._happens(rates.delay, "post-delay", connection, event):
            delay = rates.spread * self._part("post-delay-by", connection, event)
        if self._happens(rates.post_410, "post-410", connection, event):
            return PostFate(delay, 410, delivered=False)
        if self._happens(rates.post_429, "post-429", connection, event):
            return PostFate(delay, 429, delivered=False)
        if self._happens(rates.post_504, "post-504", connection, event):
            return PostFate(
                delay, 504, delivered=self._part("post-504-delivered", connection, event) < 0.5
            )
        return PostFate(delay)

    def request(self, ordinal: int) -> RequestFate:
        """Return the fate of the ordinal-th REST request."""
        if not self.on:
            return RequestFate()
        delay = 0.0
        if self._happens(self.rates.delay, "rest-delay", 0, ordinal):
            delay = self.rates.spread * self._part("rest-delay-by", 0, ordinal)
        return RequestFate(delay, self._happens(self.rates.rest_504, "rest-504", 0, ordinal))

    def no_capacity(self, number: int) -> bool:
        """Return whether the number-th call of RunTask finds no room."""
        return self.on and self._happens(self.rates.no_capacity, "no-capacity", 0, number)

    def stream_lost(self, number: int) -> bool:
        """Return whether no function gets a stream's number-th record."""
        return self.on and self._happens(self.rates.stream_lose, "stream-lose", 0, number)

    def transfer(self, number: int) -> TransferFate:
        """Return the fate of DataSync's number-th execution."""
        if not self.on:
            return TransferFate()
        return TransferFate(
            fail=self._happens(self.rates.transfer_fail, "transfer-fail", 0, number),
            stall=self._happens(self.rates.transfer_stall, "transfer-stall", 0, number),
            lose=self._happens(self.rates.transfer_lose, "transfer-lose", 0, number),
        )

    def disconnect(self, connection: int) -> float | None:
        """Return the seconds until `$disconnect` is invoked for a connection, or None for never."""
        if not self.on:
            return 0.0
        if self._happens(self.rates.drop_disconnect, "drop-disconnect", connection, 0):
            return None
        if self._happens(self.rates.delay_disconnect, "delay-disconnect", connection, 0):
            return self.rates.disconnect_spread * self._part("delay-disconnect-by", connection, 0)
        return 0.0
