"""How a session may end.

* :exc:`RelayError`
    * :exc:`AccessDenied` (4500)
        * :exc:`SignedOut`
    * :exc:`OverCapacity` (4501)
    * :exc:`AppExited` (4503)
    * :exc:`VersionRetired` (4506)
        * :exc:`AppRestarted`
    * :exc:`SessionClosed` (4508)
    * :exc:`TransportDisabled` (4509)
    * :exc:`VisitorIdle` (4510)
    * :exc:`AppSilent` (4511)
    * :exc:`TooMuch` (4512)
    * :exc:`ShuttingDown` (4702)
    * :exc:`ProtocolError` (4704)
    * :exc:`UnknownSession` (4705)
        * :exc:`ConnectionLost`
        * :exc:`SessionTaken`
    * :exc:`ResendOverflow` (4710)
    * :exc:`MessageTooBig` (4711)

The codes up to 4705 are Shiny Server's (FACTS S7): after 45xx a client stops, after 47xx it may
start a new session. The codes 4508 to 4512, 4710 and 4711 are Sheen's own within the same two
ranges.
"""

from __future__ import annotations

from typing import ClassVar, NamedTuple

__all__ = [
    "AccessDenied",
    "AppExited",
    "AppRestarted",
    "AppSilent",
    "ConnectionLost",
    "Ending",
    "MessageTooBig",
    "OverCapacity",
    "ProtocolError",
    "RelayError",
    "ResendOverflow",
    "SessionClosed",
    "SessionTaken",
    "ShuttingDown",
    "SignedOut",
    "TooMuch",
    "TransportDisabled",
    "UnknownSession",
    "VersionRetired",
    "VisitorIdle",
]


class Ending(NamedTuple):
    """The close code for the browser, and a sentence for the visitor."""

    code: int
    reason: str


class RelayError(Exception):
    """The session cannot go on.

    :attr:`sentence` is for the visitor. The exception's own text is for the log and may name
    details.
    """

    code: ClassVar[int]
    sentence: ClassVar[str]

    def __init__(self, detail: str = "") -> None:
        super().__init__(detail or self.sentence)

    @property
    def ending(self) -> Ending:
        """The close code and the visitor's sentence."""
        return Ending(self.code, self.sentence)


class AccessDenied(RelayError):
    """The visitor may not use this app."""

    code = 4500
    sentence = (
        "You do not have access to this app. Sign in with another account, or ask the app's owner."
    )


class SignedOut(AccessDenied):
    """The visitor's login has ended."""

    sentence = "You are signed out, so this session has ended. Reload the page to sign in again."


class OverCapacity(RelayError):
    """Every seat is taken."""

    code = 4501
    sentence = (
        "This app has as many visitors as it can serve right now. Please try again in a few "
        "minutes."
    )


class AppExited(RelayError):
    """R's process ended, or its socket broke, during the session."""

    code = 4503
    sentence = "The app stopped unexpectedly. Reload the page to start it again."


class VersionRetired(RelayError):
    """The version that the session runs on is being stopped."""

    code = 4506
    sentence = "A newer version of this app has been published. Reload the page to use it."


class AppRestarted(VersionRetired):
    """The app was restarted, and too many processes from before the restart still run.

    The session's process is one of those that are stopped.
    """

    sentence = "The app has been restarted. Reload the page to use it as it is now."


class SessionClosed(RelayError):
    """R closed the session in an orderly way, as ``session$close()`` does."""

    code = 4508
    sentence = "The app has ended this session. Reload the page to start a new one."


class TransportDisabled(RelayError):
    """The app does not use the client's transport.

    See the directives ``disable_websockets`` and ``disable_protocols``.
    """

    code = 4509
    sentence = (
        "This app is not reached this way. Reload the page; if that does not help, tell "
        "whoever runs it."
    )


class VisitorIdle(RelayError):
    """The visitor did nothing for ``app_session_timeout``."""

    code = 4510
    sentence = (
        "You have not used this page for a while, so its session has ended. Reload the page "
        "to start a new one."
    )


class AppSilent(RelayError):
    """R sent nothing for ``read_timeout``."""

    code = 4511
    sentence = (
        "The app has said nothing for a long time, so its session has ended. Reload the page "
        "to start a new one."
    )


class TooMuch(RelayError):
    """The browser sends more, or more often, than R can take.

    A well-behaved page waits for acknowledgements.
    """

    code = 4512
    sentence = (
        "This page sent more than the app can take, so its session has ended. Reload the "
        "page to start again."
    )


class ShuttingDown(RelayError):
    """The instance is being stopped."""

    code = 4702
    sentence = (
        "The server that ran your session is shutting down. Reload the page to continue on "
        "another one."
    )


class ProtocolError(RelayError):
    """A peer sent something that the protocol does not allow."""

    code = 4704
    sentence = (
        "Something garbled the connection between this page and the app. Reload the page to "
        "start again."
    )


class UnknownSession(RelayError):
    """The connection names a session that does not exist here."""

    code = 4705
    sentence = "Your session is no longer there. Reload the page to start a new one."


class ConnectionLost(UnknownSession):
    """The client did not resume the session within its grace period."""

    sentence = (
        "The connection was lost for too long, so your session has ended. Reload the page to "
        "start a new one."
    )


class SessionTaken(UnknownSession):
    """A second page shows the ticket of a session that another page is using."""

    sentence = (
        "This page's session is in use in another tab. Reload this page to get a session of "
        "its own."
    )


class ResendOverflow(RelayError):
    """More is waiting for the browser than the session may hold."""

    code = 4710
    sentence = (
        "The app sent more than your connection could carry, so the session has ended. "
        "Reload the page to start again."
    )


class MessageTooBig(RelayError):
    """One message is larger than the session may hold."""

    code = 4711
    sentence = (
        "A message was too large for the connection, so your session has ended. Reload the "
        "page to start again."
    )
