"""The names of workers' log streams.

Streams of one app, or of one version, share a prefix. Pure.
"""

from typing import NamedTuple, Self

from chalicelib.instances.model import InstanceRef, VersionId


class LogStream(NamedTuple):
    """One worker's log: ``<app_id>/<version>/<instance_id>/<worker_id>``."""

    app_id: str
    version: str
    instance_id: str
    worker_id: str

    def __str__(self) -> str:
        return "/".join(self)

    @classmethod
    def of(cls, ref: InstanceRef, worker_id: str) -> Self:
        """Return the stream of a worker of an instance."""
        version = VersionId.parse(ref.version_id)
        return cls(version.app_id, version.version, ref.instance_id, worker_id)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse a stream's name; raise :class:`ValueError` if ``text`` is not one."""
        app_id, version, instance_id, worker_id = text.split("/")
        return cls(app_id, version, instance_id, worker_id)


def beginning(app_id: str, version: str = "") -> str:
    """Return the prefix of the stream names of an app, or of one version of it."""
    return f"{app_id}/{version}/" if version else f"{app_id}/"
