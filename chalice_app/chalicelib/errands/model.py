"""The rows of errands."""

from enum import StrEnum

from pynamodb.attributes import JSONAttribute, NumberAttribute, UnicodeAttribute

from chalicelib.aws.tables import Table


class ErrandState(StrEnum):
    """Where an errand stands; see :mod:`chalicelib.errands.course`."""

    ASKED = "asked"
    DOING = "doing"
    DONE = "done"
    FAILED = "failed"


class Errand(Table):
    """One errand.

    The table's stream carries keys only, because a payload or an answer may be a secret.
    """

    short_name = "errands"

    class Meta:
        table_name = "errands"

    id = UnicodeAttribute(hash_key=True)
    """``<kind>/<hash of the asker's key>``."""
    kind = UnicodeAttribute()
    state = UnicodeAttribute()
    """One of :class:`ErrandState`."""
    payload: JSONAttribute = JSONAttribute(null=True)
    """What is asked; removed once the errand is done or has failed."""
    asked_at = NumberAttribute()
    deadline = NumberAttribute()
    """The time after which no answer counts (epoch seconds)."""
    attempt = NumberAttribute(default=0)
    """How often a doer has taken the errand; only the latest may answer."""
    held_until = NumberAttribute(null=True)
    """Until when the latest doer has it; a doer that still works then counts as dead."""
    answer: JSONAttribute = JSONAttribute(null=True)
    failure = UnicodeAttribute(null=True)
    """Why it failed: a sentence for people."""
    expires_at = NumberAttribute()
    """TTL (FACTS D1)."""
