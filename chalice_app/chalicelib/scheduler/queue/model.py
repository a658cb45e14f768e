"""The rows of places in queues."""

from pynamodb.attributes import NumberAttribute, UnicodeAttribute

from chalicelib.aws.tables import Table


class QueuePlace(Table):
    """One visitor who waits for a seat of a version."""

    short_name = "queue"

    class Meta:
        table_name = "queue"

    version_id = UnicodeAttribute(hash_key=True)
    place = UnicodeAttribute(range_key=True)
    """Arrival in milliseconds, 64 random bits, and the visitor's address if it is known.

    It sorts by arrival, and nobody can guess another visitor's place.
    """
    lease = NumberAttribute()
    """When the place is lost without another sign of life (epoch seconds)."""
    expires_at = NumberAttribute()
    """TTL (FACTS D1)."""
