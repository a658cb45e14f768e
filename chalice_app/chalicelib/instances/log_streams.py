"""What the log streams of workers are called: all of an app's, or of one version's, begin alike. Pure."""

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
        """Raise :class:`ValueError` when ``text`` is not the name of a worker's stream."""
        app_id, version, instance_id, worker_id = text.split("/")
        return cls(app_id, version, instance_id, worker_id)


def beginning(app_id: str, version: str = "") -> str:
    """Return how the names of all streams of an app begin, or of one version of it."""
    return f"{app_id}/{version}/" if version else f"{app_id}/"
