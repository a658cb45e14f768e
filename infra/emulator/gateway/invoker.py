"""The gateway's interface to Lambda."""

from __future__ import annotations

from typing import NamedTuple, Protocol


class Invocation(NamedTuple):
    """The result of an invocation.

    It is the function's answer, or with `function_error` ("Unhandled") its error, as JSON.
    """

    payload: bytes
    function_error: str | None = None


class InvocationRefused(Exception):
    """Lambda did not run the function."""


class Throttled(InvocationRefused):
    """Too many invocations run already, or no environment became free in time."""


class NotActive(InvocationRefused):
    """The function is in the VPC and was idle for weeks.

    It has lost its network interface, and is about to get one.
    """


class TimedOut(Exception):
    """No answer came within the caller's time; the function may still be running."""


class Invoker(Protocol):
    """Runs functions by name."""

    async def invoke(self, function: str, event: bytes) -> Invocation:
        """Run the function and wait for it (`RequestResponse`).

        Raise Throttled or NotActive, or TimedOut if waiting is pointless. The failure of a function
        is not an exception but an answer. An open gateway never cancels this call, because a
        function continues after its caller has stopped waiting.
        """
        ...

    def invoke_event(self, function: str, event: bytes) -> None:
        """Queue the event for the function (`Event`).

        It runs later, is retried twice, and may run more than once (FACTS H4).
        """
        ...
