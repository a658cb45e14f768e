"""Counts of events, for tests that count calls per frame and page."""

from collections import Counter, defaultdict
from typing import Any


class Counters:
    """Counts since the stack's start."""

    def __init__(self) -> None:
        self.invocations: Counter[str] = Counter()
        self.cold_starts: Counter[str] = Counter()
        self.calls: Counter[str] = Counter()
        self.calls_by_principal: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self.run_tasks = 0
        self.records_lost = 0
        """Records of streams that were kept from functions by the fault ``stream_lose``."""

    def called(self, principal: str, service: str, operation: str) -> None:
        """Count one AWS API call."""
        name = f"{service}.{operation}"
        self.calls[name] += 1
        self.calls_by_principal[principal][name] += 1

    def as_document(self) -> dict[str, Any]:
        """Return all counts as the control socket shows them."""
        return {
            "invocations": dict(self.invocations),
            "cold_starts": dict(self.cold_starts),
            "calls": {
                **self.calls,
                "by_principal": {
                    principal: dict(calls) for principal, calls in self.calls_by_principal.items()
                },
            },
            "run_tasks": self.run_tasks,
            "records_lost": self.records_lost,
            "posts": self.calls["execute-api.PostToConnection"],
        }
