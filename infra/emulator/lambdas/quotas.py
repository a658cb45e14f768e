"""What Lambda refuses: too many invocations at once, and functions idle for too long.

This module is pure.
"""

from collections import Counter
from collections.abc import Mapping

from infra.emulator.gateway.invoker import NotActive, Throttled
from infra.emulator.lambdas.function import Function

INACTIVE_AFTER = 14 * 86_400.0
"""Seconds without an invocation after which a function in the VPC loses its network interface."""
PENDING = 90.0
"""Seconds until a function has another network interface."""


class Concurrency:
    """The running invocations of the account and of each function with a reservation."""

    def __init__(self, functions: Mapping[str, Function], limit: int) -> None:
        """Create the counts; ``limit`` is the account's.

        Raise :class:`ValueError` if more than that is reserved.
        """
        self._reserved = {
            name: function.reserved_concurrency
            for name, function in functions.items()
            if function.reserved_concurrency is not None
        }
        self._unreserved = limit - sum(self._reserved.values())
        if self._unreserved < 0:
            raise ValueError(
                f"functions reserve {sum(self._reserved.values())} concurrent executions, "
                f"and the account has {limit}"
            )
        self._running: Counter[str] = Counter()

    def begin(self, function: str) -> None:
        """Count the start of an invocation; raise :class:`Throttled` if it is not allowed."""
        if function in self._reserved:
            running, allowed = self._running[function], self._reserved[function]
        else:
            running, allowed = (
                sum(count for name, count in self._running.items() if name not in self._reserved),
                self._unreserved,
            )
        if running >= allowed:
            raise Throttled(
                f"{function}: {running} executions are running, and {allowed} are allowed"
            )
        self._running[function] += 1

    def end(self, function: str) -> None:
        """Count the end of an invocation."""
        self._running[function] -= 1


class InvocationTimes:
    """When each function in the VPC was last invoked, in seconds of the stack's clock."""

    def __init__(self, functions: Mapping[str, Function], now: float) -> None:
        self._used_at = {name: now for name, function in functions.items() if function.in_vpc}
        self._active_at: dict[str, float] = {}

    def use(self, function: str, now: float) -> None:
        """Record an invocation; raise :class:`NotActive` if the function has no network now.

        The first refused invocation requests the network.
        """
        used_at = self._used_at.get(function)
        if used_at is None:
            return
        if now - used_at > INACTIVE_AFTER and function not in self._active_at:
            self._active_at[function] = now + PENDING
        if now < self._active_at.get(function, now):
            raise NotActive(
                "The operation cannot be performed at this time. The function is "
                "currently in the following state: Pending"
            )
        self._active_at.pop(function, None)
        self._used_at[function] = now
