"""The rows of taken numbers, and of the users that configurations name."""

from pynamodb.attributes import JSONAttribute, NumberAttribute, UnicodeAttribute

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


class UnixUser(Table):
    """A user that a configuration's ``run_as`` names: the same for all its apps, for good.

    On one machine these rows repeat the machine's own users.
    """

    short_name = "unix_users"
    kept = True

    class Meta:
        table_name = "unix_users"

    name = UnicodeAttribute(hash_key=True)
    unix_id = NumberAttribute()
    group = NumberAttribute(attr_name="unix_group")
    """The number of the user's own group."""
    more_groups = JSONAttribute(default=list)
    """The numbers of the other groups that apps have when they run as this user."""
    group_names = JSONAttribute(default=list)
    """The names of all groups that the user is in; for ``members_of``."""
    home = UnicodeAttribute(null=True)
    """The user's home on this machine. None: it is on the shared file system
    (:func:`chalicelib.layout.home`).
    """
