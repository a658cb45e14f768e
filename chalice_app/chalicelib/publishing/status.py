"""The status of an upload."""

from enum import StrEnum


class BundleStatus(StrEnum):
    """The status of an upload: received → building → active, or rejected.

    An upload is superseded if a later one became active before it.
    """

    RECEIVED = "received"
    BUILDING = "building"
    ACTIVE = "active"
    REJECTED = "rejected"
    SUPERSEDED = "superseded"


OVER = frozenset({BundleStatus.ACTIVE, BundleStatus.REJECTED, BundleStatus.SUPERSEDED})
"""The final states of an upload."""
