"""The rows of bundles: the outcome of each upload."""

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
    """S3's order of the writes to one key; it identifies late and repeated events (FACTS E7)."""
    etag = UnicodeAttribute()
    location = UnicodeAttribute()
    app_id = UnicodeAttribute(null=True)
    """The app that it is built for, once it has been checked."""
    status = UnicodeAttribute()
    """One of :class:`chalicelib.publishing.status.BundleStatus`."""
    message = UnicodeAttribute(default="")
    """What happens now, or why the upload was rejected: a sentence for the author."""
    blameless = BooleanAttribute(null=True)
    """Whether it was rejected for reasons outside it, so that the same files may succeed later."""
    version = UnicodeAttribute(null=True)
    updated_at = NumberAttribute()
