"""The rows of taken numbers."""

from pynamodb.attributes import NumberAttribute, UnicodeAttribute

from chalicelib.aws.tables import Table


class UnixId(Table):
    """One number, which is never given to another owner.

    Files of its owner may be left somewhere, or come back from a backup.
    """

    short_name = "unix_ids"
    kept = True

    class Meta:
        table_name = "unix_ids"

    unix_id = NumberAttribute(hash_key=True)
    """The number. The row 0 records that numbers from before this table existed have rows."""
    owner = UnicodeAttribute()
    """What it was drawn for, in words for people: ``app /sales``, ``sync sales``."""
    drawn_at = NumberAttribute()
