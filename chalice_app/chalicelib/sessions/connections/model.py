"""The rows of WebSocket connections."""

from pynamodb.attributes import NumberAttribute, UnicodeAttribute
from pynamodb.indexes import GlobalSecondaryIndex, KeysOnlyProjection

from chalicelib.aws.tables import Table


class ConnectionsOfInstance(GlobalSecondaryIndex["ConnectionRow"]):  # type: ignore[no-untyped-call]
    """Index that finds the visitors of an instance that died."""

    class Meta:
        index_name = "instance"
        projection = KeysOnlyProjection()
        billing_mode = "PAY_PER_REQUEST"

    instance = UnicodeAttribute(hash_key=True)


class ConnectionRow(Table):
    """One connection of API Gateway's WebSocket API.

    The row lives from ``$connect`` to ``$disconnect`` or its expiry (FACTS W2, W3).
    """

    short_name = "connections"

    class Meta:
        table_name = "connections"

    connection_id = UnicodeAttribute(hash_key=True)
    instance = UnicodeAttribute()
    """:class:`chalicelib.instances.model.InstanceRef` as text."""
    session_id = UnicodeAttribute()
    connected_at = NumberAttribute()
    expires_at = NumberAttribute()
    of_instance = ConnectionsOfInstance()
