"""Read and write the rows of places in queues."""

from collections.abc import Iterator

from chalicelib.scheduler.queue.line import FIRST_LEASE, LEASE
from chalicelib.scheduler.queue.model import QueuePlace


def line(version_id: str) -> dict[str, float]:
    """Read the line of a version, consistently: each place and the end of its lease.

    Expired places stay in the line until the sweeper removes them.
    """
    return {
        str(row.place): float(row.lease)
        for row in QueuePlace.query(version_id, consistent_read=True)
    }


def take(version_id: str, place: str, now: float) -> None:
    """Write a new place, kept until its page should have polled for the first time."""
    QueuePlace(version_id, place, lease=now + FIRST_LEASE, expires_at=int(now + FIRST_LEASE)).save()


def renew(version_id: str, place: str, now: float, lease: float = LEASE) -> bool:
    """Keep a place for ``lease`` seconds from now; return False if it is gone."""
    until = now + lease
    return QueuePlace(version_id, place).update_if(
        QueuePlace.place.exists(),
        [QueuePlace.lease.set(until), QueuePlace.expires_at.set(int(until))],
    )


def leave(version_id: str, place: str) -> None:
    """Delete the row of a place that is given up."""
    QueuePlace(version_id, place).delete()


def expired(now: float) -> Iterator[QueuePlace]:
    """Yield the places whose lease has ended; reads the whole table."""
    yield from QueuePlace.scan(QueuePlace.lease <= now)
