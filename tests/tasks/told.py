"""What a task told the state machine that started it."""

from typing import Any

import pytest

from chalicelib.aws import clients


class States:
    """Stands in for Step Functions, and remembers what it was told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, dict[str, Any]]] = []

    def __getattr__(self, name: str) -> Any:
        return lambda **arguments: self.told.append((name, arguments))

    @classmethod
    def instead(cls, monkeypatch: pytest.MonkeyPatch) -> "States":
        """Take its place; all other services stay what they are."""
        made = cls()
        real = clients.client
        monkeypatch.setattr(
            clients, "client", lambda service: made if service == "stepfunctions" else real(service)
        )
        return made
