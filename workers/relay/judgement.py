"""What becomes of a connection that introduces itself to a session. Pure."""

from __future__ import annotations

from typing import NamedTuple

from relay.errors import Ending, ProtocolError, SessionTaken, UnknownSession
from relay.hello import Opening


class SessionFacts(NamedTuple):
    """What a session knows at the moment of an introduction."""

    is_current: bool
    """Whether the connection carries the session already."""
    is_gone: bool
    """Whether the connection has ended, or was replaced."""
    first: Opening | None
    """The introduction of the session's first connection; None if none has come."""
    attempt: int
    """The attempt of the current connection, or of the last one."""
    ending: Ending | None
    """How the session ended; None while it lives."""
    acknowledged: int
    """The number of the first message that the client has not acknowledged."""
    following: int
    """The number that the next message from R gets."""


class Taken(NamedTuple):
    """The connection carries the session from now on."""

    send_from: int | None
    """Number of the message to go on with; None if the client's CONTINUE will name it."""


class TooLate(NamedTuple):
    """A newer connection has come first, so this one counts as replaced."""


class Ignored(NamedTuple):
    """The introduction changes nothing: a duplicate, or of a connection that is gone."""


class ConnectionRefused(NamedTuple):
    """The connection is told ``ending``."""

    ending: Ending
    ends_session: bool = False
    """Whether the session ends the same way, because its own client cannot go on."""


Judgement = Taken | TooLate | Ignored | ConnectionRefused


def judge(opening: Opening, seen: SessionFacts) -> Judgement:
    """Decide about a connection that introduces itself by ``opening``.

    The first introduction decides whose session it is. Later ones need its robust id.
    """
    if seen.is_gone:
        return Ignored()
    if seen.first is None:
        if opening.resume or seen.ending is not None:
            return ConnectionRefused(seen.ending or UnknownSession().ending)
        return Taken(0)
    if opening.robust_id is None or opening.robust_id != seen.first.robust_id:
        return ConnectionRefused(SessionTaken().ending)
    return _judge_sheen(opening, seen) if opening.sheen else _judge_other(opening, seen)


def _judge_sheen(opening: Opening, seen: SessionFacts) -> Judgement:
    """Decide about Sheen's own client, which says where to go on."""
    # A SockJS client that falls back to its next transport repeats the attempt.
    if seen.is_current:
        return Ignored()
    if opening.attempt < seen.attempt:
        return TooLate()
    if not seen.acknowledged <= opening.next <= seen.following:
        return ConnectionRefused(ProtocolError().ending, ends_session=True)
    return Taken(opening.next)


def _judge_other(opening: Opening, seen: SessionFacts) -> Judgement:
    """Decide about another client, which resumes by CONTINUE or starts from the beginning.

    It starts again if its first connection failed and SockJS fell back to another transport.
    """
    if opening.resume:
        return Taken(None)
    return Taken(0) if seen.acknowledged == 0 else ConnectionRefused(SessionTaken().ending)
