"""The rows of ceilings."""

from pynamodb.attributes import MapAttribute, UnicodeAttribute

from chalicelib.aws.tables import Table

INSTANCES = "instances"
"""Instances, including spares, from claim to end: instance id → when it was claimed."""
HELD = "held"
"""Requests that wait in a Lambda for an app's start: request id → the wait's latest end."""


class Ceiling(Table):
    """One ceiling. The size of its map is the number of taken places.

    A place is therefore taken and given back by one conditional write, however often it is tried.
    """

    short_name = "ceilings"

    class Meta:
        table_name = "ceilings"

    name = UnicodeAttribute(hash_key=True)
    """One of the names in this module."""
    holders: MapAttribute[str, float] = MapAttribute(default=dict)  # type: ignore[no-untyped-call]
    """The holder of a place → a time (epoch seconds)."""
