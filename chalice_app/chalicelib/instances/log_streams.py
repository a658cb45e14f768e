"""The names of workers' log streams.

Streams of one app, or of one version, share a prefix. Pure.
"""

import re
from datetime import UTC, datetime
from typing import NamedTuple, Self

from chalicelib.instances.model import InstanceRef, VersionId

_LONGEST_NAME = 60
"""Characters of an app's or a user's name in the name of a file."""


class LogStream(NamedTuple):
    """One worker's log: ``<app_id>/<version>/<instance_id>/<worker_id>``.

    With ``log_dir``, ``/<file>`` follows.
    """

    app_id: str
    version: str
    instance_id: str
    worker_id: str
    file: str = ""
    """The name of its file by the scheme of Shiny Server (:func:`file_name`)."""

    def __str__(self) -> str:
        return "/".join(self).removesuffix("/")

    @classmethod
    def of(cls, ref: InstanceRef, worker_id: str, file: str = "") -> Self:
        """Return the stream of a worker of an instance."""
        version = VersionId.parse(ref.version_id)
        return cls(version.app_id, version.version, ref.instance_id, worker_id, file)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse a stream's name; raise :class:`ValueError` if ``text`` is not one."""
        app_id, version, instance_id, worker_id, *file = text.split("/")
        if len(file) > 1:
            raise ValueError(f"{text!r} has too many parts")
        return cls(app_id, version, instance_id, worker_id, *file)


def file_name(app: str, user: str, started: float, worker: str) -> str:
    """Return the name of a worker's log file as Shiny Server gives it.

    ``app`` is the name of the app's folder. ``started`` is in epoch seconds. ``worker`` is in the
    place of the port, which workers here do not have. Characters that a stream's name cannot have
    become ``_``.

    >>> file_name("my app", "shiny", 1_800_000_000.0, "0.1")
    'my_app-shiny-20270115-080000-0.1.log'
    """
    at = datetime.fromtimestamp(started, UTC).strftime("%Y%m%d-%H%M%S")
    base = re.sub(r"[^A-Za-z0-9._-]", "_", app)[:_LONGEST_NAME].lstrip(".") or "app"
    return f"{base}-{re.sub(r'[^A-Za-z0-9._-]', '_', user)[:_LONGEST_NAME]}-{at}-{worker}.log"


def beginning(app_id: str, version: str = "") -> str:
    """Return the prefix of the stream names of an app, or of one version of it."""
    return f"{app_id}/{version}/" if version else f"{app_id}/"
