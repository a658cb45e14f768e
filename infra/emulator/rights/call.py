"""An AWS call, with everything that determines which rights it needs."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

from infra.emulator.errors import EmulatorError


class NotMapped(EmulatorError):
    """It is not defined yet which rights a call needs."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request to a service."""

    service: str
    """The service in the signature's scope, such as ``dynamodb`` or ``states``."""
    operation: str
    """The operation, by :func:`infra.emulator.endpoint.operations.operation_of`."""
    method: str = "POST"
    path: str = "/"
    """The path on the request line, without its query."""
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = b""
    """The body, or None for an object too large to be kept in memory."""

    @property
    def parameters(self) -> dict[str, Any]:
        """The parameters of a service that takes JSON."""
        document: dict[str, Any] = json.loads(self.body or b"{}")
        return document

    @property
    def form(self) -> dict[str, str]:
        """The parameters of a service that takes a form (the query protocol)."""
        return {name: values[0] for name, values in parse_qs((self.body or b"").decode()).items()}

    def not_mapped(self) -> NotMapped:
        """Return the error for an operation whose rights are not defined."""
        return NotMapped(
            f"the local stack does not know which rights {self.service}.{self.operation} needs: "
            "say it in infra/emulator/rights, by the service's page in IAM's service "
            "authorization reference"
        )
