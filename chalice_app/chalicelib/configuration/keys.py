"""S3 keys of configurations. Pure.

A configuration with its templates is ``config/applied/<id>.json``, and its password file
``config/passwords/<id>``: functions that answer visitors may read the former, and only what signs
visitors in may read the latter.

People upload a file to ``config/shiny-server.conf``. What it names lies by its path below
``config/files/``: ``/etc/shiny-server/passwd`` is ``config/files/etc/shiny-server/passwd``.
"""

from pathlib import PurePosixPath

_PREFIX = "config/"
APPLIED = f"{_PREFIX}applied/"
PASSWORDS = f"{_PREFIX}passwords/"
FILES = f"{_PREFIX}files/"
UPLOAD = f"{_PREFIX}shiny-server.conf"
OUTCOME = f"{UPLOAD}.outcome.json"
"""What became of the newest upload."""


def applied_key(configuration_id: str) -> str:
    """Return the key of a configuration."""
    return f"{APPLIED}{configuration_id}.json"


def passwords_key(configuration_id: str) -> str:
    """Return the key of a configuration's password file."""
    return f"{PASSWORDS}{configuration_id}"


def file_key(path: str) -> str:
    """Return the key of a file that an uploaded configuration names.

    >>> file_key("/etc//shiny-server/passwd")
    'config/files/etc/shiny-server/passwd'
    """
    return FILES + str(PurePosixPath(path)).lstrip("/")
