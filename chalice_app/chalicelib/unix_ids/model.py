"""The rows of numbers that are taken."""

from pynamodb.attributes import NumberAttribute, UnicodeAttribute

from chalicelib.aws.tables import Table


class UnixId(Table):
    """One number. It is never given to anybody else: files of its owner may be left somewhere, or come back from a backup."""

    short_name = "unix_ids"
    kept = True

    class Meta:
        table_name = "unix_ids"

    unix_id = NumberAttribute(hash_key=True)
    """The number; 0 says that all numbers have rows that were drawn before there was this table."""
    owner = UnicodeAttribute()
    """``app /sales``, ``sync sales``: what it was drawn for, for people."""
    drawn_at = NumberAttribute()
