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
    """When it came, in milliseconds, and 64 random bits: sorts by who came first, and nobody guesses another's."""
    lease = NumberAttribute()
    """Until when it is kept without a sign of life (epoch seconds)."""
    expires_at = NumberAttribute()
    """TTL (FACTS D1)."""
