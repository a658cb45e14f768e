"""The log groups that parts of Sheen write to through the API of CloudWatch Logs."""

from dataclasses import dataclass

from infra.declared.place import Place
from infra.declared.rights import Statement


@dataclass(frozen=True, slots=True)
class LogGroup:
    """One log group."""

    name: str
    """See :meth:`infra.declared.place.Place.log_group`."""
    retention_days: int
    """A number of days that PutRetentionPolicy accepts."""
    service: str = ""
    """The AWS service that writes to it in its own name, if any: ``datasync.amazonaws.com``."""


APPS = LogGroup("apps", retention_days=90)
"""Output of the apps' R processes."""

TRANSFERS = LogGroup("transfers", retention_days=30, service="datasync.amazonaws.com")
"""DataSync's messages about objects that it could not copy."""

LOG_GROUPS = (APPS, TRANSFERS)


def writing(place: Place, group: LogGroup) -> Statement:
    """Allow creating, filling and deleting a group's streams."""
    return Statement(
        f"{group.name.capitalize()}Logs",
        ("logs:CreateLogStream", "logs:PutLogEvents", "logs:DeleteLogStream"),
        (place.arn("logs", f"log-group:{place.log_group(group.name)}:*"),),
    )
