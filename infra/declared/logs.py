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


APPS = LogGroup("apps", retention_days=90)
"""What the apps' R processes say."""

LOG_GROUPS = (APPS,)


def writing(place: Place, group: LogGroup) -> Statement:
    """Allow making, filling and removing a group's streams."""
    return Statement(
        f"{group.name.capitalize()}Logs",
        ("logs:CreateLogStream", "logs:PutLogEvents", "logs:DeleteLogStream"),
        (place.arn("logs", f"log-group:{place.log_group(group.name)}:*"),),
    )
