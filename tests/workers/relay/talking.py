"""A browser's side of a session, frame by frame."""

from __future__ import annotations

from relay.events import (
    ChannelOpened,
)
from relay.hello import Opening, hello
from relay.session import Session
from relay.settings import RelaySettings

LIMIT = 1 << 17


def greet(
    attempt: int = 1, *, resume: bool = False, robust_id: str = "A", following: int = 0
) -> str:
    return hello(Opening(robust_id, resume, True, attempt, following))


def opened(settings: RelaySettings | None = None) -> Session:
    session = Session("s", settings or RelaySettings(), 0.0)
    assert session.receive("c1", greet(), 0.0) == []
    assert session.take("c1", LIMIT, 0.0) == "o"
    assert session.receive("c1", '["0#0|o|"]', 0.0) == [ChannelOpened("0", "")]
    return session


def drain(session: Session, connection: str, now: float = 0.0) -> list[str]:
    frames = []
    while (frame := session.take(connection, LIMIT, now)) is not None:
        frames.append(frame)
    return frames
