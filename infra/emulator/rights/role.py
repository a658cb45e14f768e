"""The roles of IAM that exist."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class RoleDocuments:
    """One role, with the documents that IAM keeps of it."""

    name: str
    """The name by which the guard's report and its callers know the role."""
    arn: str
    service: str
    """The service that assumes it, such as ``lambda.amazonaws.com``."""
    policy: Mapping[str, Any]
    trust: Mapping[str, Any]

    @property
    def full_name(self) -> str:
        """The last part of its ARN."""
        return self.arn.rpartition("/")[2]
