"""What became of an upload."""

from enum import StrEnum


class BundleStatus(StrEnum):
    """received → building → active, or rejected; superseded when a later upload was faster."""

    RECEIVED = "received"
    BUILDING = "building"
    ACTIVE = "active"
    REJECTED = "rejected"
    SUPERSEDED = "superseded"


OVER = frozenset({BundleStatus.ACTIVE, BundleStatus.REJECTED, BundleStatus.SUPERSEDED})
"""Nothing more happens to an upload that is so."""
