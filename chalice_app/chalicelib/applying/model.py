"""The rows of configurations: which one holds, and what was done before."""

from enum import StrEnum

from pynamodb.attributes import JSONAttribute, NumberAttribute, UnicodeAttribute

from chalicelib.aws.tables import Table

POINTER = ("active", "-")
"""The key of the row that says which configuration holds."""
HISTORY = "history"
"""The first part of the keys of all entries of the history."""
_DIGITS = 10


class Change(StrEnum):
    """What an entry of the history tells."""

    APPLIED = "applied"
    REFUSED = "refused"
    """It has errors, or it came late. Nothing has changed."""
    ROLLED_BACK = "rolled back"
    CLEARED = "cleared"


class ConfigurationRow(Table):
    """The pointer, or an entry of the history.

    Each change writes the pointer and one entry together, if nobody else has changed the pointer
    since it was read. So the entries are in the order of the changes.
    """

    short_name = "configurations"
    kept = True

    class Meta:
        table_name = "configurations"

    record = UnicodeAttribute(hash_key=True)
    entry = UnicodeAttribute(range_key=True)
    """The number of an entry, in digits that sort."""

    configuration = UnicodeAttribute(null=True)
    """The id of the configuration that holds, or that an entry is about; none: there is none."""
    number = NumberAttribute(default=0)
    """Of the pointer: the number of the newest entry."""
    previous = UnicodeAttribute(null=True)
    """Of the pointer: the configuration that held before; the target of a rollback."""
    upload = UnicodeAttribute(null=True)
    """Of the pointer: the position of the newest upload that was dealt with, in their order."""
    upload_entry = NumberAttribute(default=0)
    """Of the pointer: the number of that upload's entry."""
    at = NumberAttribute(default=0)
    """When it was done, or another configuration took this place (epoch seconds)."""
    by = UnicodeAttribute(default="")
    """Of an entry, like all below: who did it."""
    change = UnicodeAttribute(null=True)
    """One of :class:`Change`."""
    file = UnicodeAttribute(null=True)
    summary = UnicodeAttribute(null=True)
    """What the report says in short, or why it was refused."""
    errors: JSONAttribute = JSONAttribute(null=True)
    """The first errors, each with file, line and column."""
    error_count = NumberAttribute(default=0)
    warnings: JSONAttribute = JSONAttribute(null=True)
    """The first warnings."""
    warning_count = NumberAttribute(default=0)
    changed: JSONAttribute = JSONAttribute(null=True)
    """The locations of published apps for which other settings hold since."""


def entry_key(number: int) -> str:
    """Return the key of an entry.

    >>> entry_key(12)
    '0000000012'
    """
    return str(number).zfill(_DIGITS)
