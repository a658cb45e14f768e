"""The TypeScript client against the Python session, through the model network: the two are one
protocol.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from random import Random
from types import SimpleNamespace

import pytest

from relay import sockjs
from tests.workers.relay.network import LIMITS, Network

CLIENT = Path(__file__).resolve().parents[3] / "client"
HARNESS = CLIENT / "build/test/harness.mjs"


class NodePeer:
    """The same face as peer.Peer."""

    frame_limit = 400

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.greeted = False
        self.closed: sockjs.CloseFrame | None = None
        self.received: dict[str, list[str]] = {"0": []}
        self.out = SimpleNamespace(bytes=1)  # settled when everything has arrived, not before
        self._pinged_at = 0.0
        self._call("new", "ABC123")

    def connect(self, now: float) -> str:
        self.greeted = False
        self._pinged_at = now
        return str(self._call("connect", None, now))

    def open(self, _channel: str) -> None:
        self._call("open")

    def send(self, _channel: str, message: str) -> None:
        self._call("send", message)

    def receive(self, frame: str, now: float) -> None:
        for event in self._call("receive", frame, now):  # type: ignore[attr-defined]
            match event:
                case {"kind": "greeted"}:
                    self.greeted = True
                case {"kind": "message", "text": text}:
                    self.received["0"].append(text)
                case {"kind": "ended", "code": code, "reason": reason}:
                    self.closed = sockjs.CloseFrame(code, reason)

    def tick(self, now: float) -> None:
        self._call("tick", None, now)
        if now - self._pinged_at > 10:
            self._pinged_at = now
            self._call("ping")

    def take(self, now: float) -> str | None:
        return self._call("take", None, now)  # type: ignore[return-value]

    def _call(self, method: str, argument: str | None = None, now: float = 0.0) -> object:
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(json.dumps([method, argument, now * 1000]) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())


@pytest.fixture(scope="module")
def node() -> Iterator[subprocess.Popen[str]]:
    assert (CLIENT / "node_modules").is_dir(), (
        "the client's packages are not installed: `make install`"
    )
    subprocess.run(["node", "build.mjs", "--tests"], cwd=CLIENT, check=True)
    process = subprocess.Popen(
        ["node", str(HARNESS)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    yield process
    process.communicate()


@pytest.mark.parametrize("seed", range(40))
def test_no_schedule_loses_doubles_or_reorders_a_message(
    node: subprocess.Popen[str], seed: int
) -> None:
    random = Random(seed)
    limits = replace(LIMITS, max_message=10**6)
    network = Network(random, limits, size=random.choice([10, 40, 2000]), peer=NodePeer(node))
    network.play(random.randrange(40), fatal=seed % 4 == 0)
    network.settle()
    received = network.peer.received["0"]
    assert received == network.sent_down
    if network.ended is None:
        assert network.peer.closed is None
        assert network.got_up == network.sent_up
    else:
        assert network.peer.closed is not None and network.peer.closed.code == network.ended.code
        assert network.got_up == network.sent_up[: len(network.got_up)]
