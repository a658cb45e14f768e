"""The rows of users, of logins, and of attempts to sign in."""

from pynamodb.attributes import BooleanAttribute, JSONAttribute, NumberAttribute, UnicodeAttribute
from pynamodb.indexes import GlobalSecondaryIndex, KeysOnlyProjection

from chalicelib.aws.tables import Table
from chalicelib.identity.admission import Visitor
from chalicelib.identity.life import Life
from chalicelib.identity.names import Role


class User(Table):
    """One user, by provider and the provider's name of them."""

    short_name = "users"
    kept = True

    class Meta:
        table_name = "users"

    id = UnicodeAttribute(hash_key=True)
    """:class:`chalicelib.identity.names.UserId` as text."""
    name = UnicodeAttribute()
    role = UnicodeAttribute()
    """One of :class:`chalicelib.identity.names.Role`."""
    groups: JSONAttribute = JSONAttribute(default=list)
    password = UnicodeAttribute(null=True)
    """The hash of the password (:mod:`chalicelib.identity.passwords`), of a flat file's user.

    Only the function that checks passwords may read this table.
    """
    locked = BooleanAttribute(default=False)
    made_at = NumberAttribute()
    revision = NumberAttribute(default=0)
    """Counts changes. A login that was checked against an older row is never made."""


class LoginsOfUser(GlobalSecondaryIndex["Login"]):  # type: ignore[no-untyped-call]
    """Index that finds the logins of a user, to end them."""

    class Meta:
        index_name = "user"
        projection = KeysOnlyProjection()
        billing_mode = "PAY_PER_REQUEST"

    user = UnicodeAttribute(hash_key=True)


class Login(Table):
    """One browser, signed in. What it says of the user holds from sign-in on.

    A change of the user ends all their logins, so nothing here is ever out of date.
    """

    short_name = "logins"
    kept = True

    class Meta:
        table_name = "logins"

    id = UnicodeAttribute(hash_key=True)
    """SHA-256 of the cookie (:func:`chalicelib.identity.login_cookie.login_id`)."""
    user = UnicodeAttribute()
    """:class:`chalicelib.identity.names.UserId` as text."""
    name = UnicodeAttribute()
    role = UnicodeAttribute()
    groups: JSONAttribute = JSONAttribute(default=list)
    groups_known = BooleanAttribute(default=True)
    made_at = NumberAttribute()
    used_at = NumberAttribute()
    ends_at = NumberAttribute()
    """When it ends however much it is used."""
    duration = NumberAttribute()
    """Seconds that it lives without use."""
    expires_at = NumberAttribute()
    """TTL (FACTS D1)."""
    of_user = LoginsOfUser()

    @property
    def life(self) -> Life:
        """How long it lives."""
        return Life(float(self.used_at), float(self.ends_at), float(self.duration))

    @property
    def visitor(self) -> Visitor:
        """Who is signed in, for admission."""
        return Visitor(self.name, tuple(self.groups), Role(self.role), bool(self.groups_known))


class Attempts(Table):
    """How often somebody has tried to sign in lately, by user, by network and by both."""

    short_name = "attempts"

    class Meta:
        table_name = "attempts"

    id = UnicodeAttribute(hash_key=True)
    """What is counted, as a hash, and the time slot."""
    tries = NumberAttribute(default=0)
    expires_at = NumberAttribute()
    """TTL (FACTS D1)."""
