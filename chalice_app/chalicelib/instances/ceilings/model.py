"""The rows of ceilings."""

from pynamodb.attributes import MapAttribute, UnicodeAttribute

from chalicelib.aws.tables import Table

INSTANCES = "instances"
"""Instances, spares included, from their claim to their end: instance id → when it was claimed."""
HELD = "held"
"""Requests that wait in a Lambda for an app's start: request id → until when at most."""


class Ceiling(Table):
    """One ceiling. Its size is what is taken, so a place is taken and given back by one conditional write, however often it is tried."""

    short_name = "ceilings"

    class Meta:
        table_name = "ceilings"

    name = UnicodeAttribute(hash_key=True)
    """One of the names of this module."""
    holders: MapAttribute[str, float] = MapAttribute(default=dict)  # type: ignore[no-untyped-call]
    """Who holds a place → a time (epoch seconds)."""
