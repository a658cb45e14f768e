"""Read and write the rows of connections."""

from chalicelib.instances.model import InstanceRef
from chalicelib.sessions.connections.model import ConnectionRow

LIFE = 2 * 3600.0 + 600.0
"""Seconds after which a row without a ``$disconnect`` may be deleted.

The gateway cuts a connection at two hours (FACTS W2, W3).
"""


def add(connection_id: str, ref: InstanceRef, session_id: str, now: float) -> None:
    """Record a connection."""
    ConnectionRow(
        connection_id,
        instance=str(ref),
        session_id=session_id,
        connected_at=now,
        expires_at=int(now + LIFE),
    ).save()


def find(connection_id: str) -> ConnectionRow | None:
    """Read a connection's row."""
    try:
        return ConnectionRow.get(connection_id, consistent_read=True)
    except ConnectionRow.DoesNotExist:
        return None


def remove(connection_id: str) -> None:
    """Delete a connection's row; do nothing if it is gone already."""
    ConnectionRow(connection_id).delete()


def of_instance(ref: InstanceRef) -> list[str]:
    """Find the connections of an instance's visitors. A very recent connection may be missing."""
    return [str(row.connection_id) for row in ConnectionRow.of_instance.query(str(ref))]
