"""The log groups of CloudWatch Logs that parts of Sheen write to by its API."""

from dataclasses import dataclass

from infra.declared.place import Place
from infra.declared.rights import Statement


@dataclass(frozen=True, slots=True)
class LogGroup:
    """One log group."""

    name: str
    """See :meth:`infra.declared.place.Place.log_group`."""
    retention_days: int
    """One of those that PutRetentionPolicy takes."""
    service: str = ""
    """The service of AWS that writes to it in its own name, if one does: ``datasync.amazonaws.com``…"""


APPS = LogGroup("apps", retention_days=90)
"""What the apps' R processes say."""

TRANSFERS = LogGroup("transfers", retention_days=30, service="datasync.amazonaws.com")
"""What DataSync says of objects that it could not copy."""

LOG_GROUPS = (APPS, TRANSFERS)


def writing(place: Place, group: LogGroup) -> Statement:
    """Allow making, filling and removing a group's streams."""
    return Statement(
        f"{group.name.capitalize()}Logs",
        ("logs:CreateLogStream", "logs:PutLogEvents", "logs:DeleteLogStream"),
        (place.arn("logs", f"log-group:{place.log_group(group.name)}:*"),),
    )
