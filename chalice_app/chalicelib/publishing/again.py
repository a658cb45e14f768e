"""A version's bundle used again: published as a new version, or downloaded as it was uploaded."""

from datetime import UTC, datetime
from typing import NamedTuple

from chalicelib.apps import store as apps
from chalicelib.apps.errors import NoSuchVersion
from chalicelib.apps.model import Version
from chalicelib.aws import clients
from chalicelib.publishing.keys import again_key, original_name


class KeptBundle(NamedTuple):
    """A version's own copy of its bundle."""

    version: str
    key: str
    """The S3 key."""
    name: str
    """The name that the author gave to the file."""


def kept(location: str, version: str | None = None) -> KeptBundle:
    """Find the bundle of a version, by default the active one.

    Raise :class:`NoSuchApp` or :class:`NoSuchVersion`.
    """
    app = apps.at(location)
    wanted = version or app.active_version
    if wanted is None:
        raise NoSuchVersion(f"nothing was published at {location} yet")
    row = next(iter(Version.batch_get([(app.app_id, wanted)], consistent_read=True)), None)
    if row is None or row.removing_at is not None or not row.source:
        raise NoSuchVersion(
            f"there is no bundle of {wanted}; `sheen versions {location}` lists the "
            f"versions of {location}"
        )
    return KeptBundle(wanted, row.source, original_name(row.bundle))


def publish_again(location: str, bucket: str, now: float, version: str | None = None) -> str:
    """Publish the bundle of a version (by default the active one) as a new version.

    Return the upload's key. The new version is built anew. The copy within S3 is an upload like any
    other, with the same rules. Raise :class:`NoSuchApp` or :class:`NoSuchVersion`.
    """
    found = kept(location, version)
    key = again_key(location, found.name, datetime.fromtimestamp(now, UTC).isoformat())
    clients.client("s3").copy_object(
        Bucket=bucket, Key=key, CopySource={"Bucket": bucket, "Key": found.key}
    )
    return key
