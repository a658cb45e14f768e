"""What the gateway needs of Lambda."""

from __future__ import annotations

from typing import NamedTuple, Protocol


class Invocation(NamedTuple):
    """What came of an invocation: the function's answer, or with `function_error` ("Unhandled") its error, as JSON."""

    payload: bytes
    function_error: str | None = None


class Refused(Exception):
    """Lambda did not run the function."""


class Throttled(Refused):
    """As many invocations as may run at once are running, or no environment became free in time."""


class NotActive(Refused):
    """The function is in the VPC and was idle for weeks: it has no network interface, and is about to get one."""


class TimedOut(Exception):
    """No answer came in the time that the caller had. The function may still be running."""


class Invoker(Protocol):
    """Runs functions by name."""

    async def invoke(self, function: str, event: bytes) -> Invocation:
        """Run the function and wait for it (`RequestResponse`).

        Raises Throttled or NotActive, or TimedOut when waiting is pointless. A function that fails is not an exception but an
        answer. As long as the gateway is open it never cancels this: a function goes on when its caller has stopped
        waiting.
        """
        ...

    def invoke_event(self, function: str, event: bytes) -> None:
        """Queue the event for the function (`Event`): run later, retried twice, perhaps more than once (FACTS H4)."""
        ...
