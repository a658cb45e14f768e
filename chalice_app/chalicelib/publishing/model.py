"""The rows of bundles: what became of each upload can be read back here."""

from pynamodb.attributes import BooleanAttribute, NumberAttribute, UnicodeAttribute

from chalicelib.aws.tables import Table


class Bundle(Table):
    """The newest upload under one S3 key."""

    short_name = "bundles"
    kept = True

    class Meta:
        table_name = "bundles"

    key = UnicodeAttribute(hash_key=True)
    """S3 key: ``bundles/<location>/<name>.zip`` or ``.tar.gz``."""
    sequencer = UnicodeAttribute()
    """S3's own order of the writes to one key; an event that comes late or twice is told by it (FACTS E7)."""
    etag = UnicodeAttribute()
    location = UnicodeAttribute()
    status = UnicodeAttribute()
    """One of :class:`chalicelib.publishing.status.BundleStatus`: received → building → active, or rejected."""
    message = UnicodeAttribute(default="")
    """What happens now, or why it was rejected; a sentence for the author."""
    blameless = BooleanAttribute(null=True)
    """Whether it was rejected for what was not its fault: the same files may do better another time."""
    version = UnicodeAttribute(null=True)
    updated_at = NumberAttribute()
