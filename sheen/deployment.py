"""Find the deployment: the one that the environment names, or else this folder's local stack."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from chalicelib.aws.tables import bind
from chalicelib.configuration.deployment import Settings
from chalicelib.errors import Broken

ENVIRONMENT_FILE = "environment.json"
"""The file of the local stack's variables, in its data folder.

The variables point AWS tools and this command at the stack. Only the file's owner can read it.
"""


class NoDeployment(Broken):
    """The command cannot tell which deployment to use."""


def data_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """Return the data folder of the local stack: ``SHEEN_DATA``, or else ``.sheen`` here."""
    return Path(environment.get("SHEEN_DATA", ".sheen"))


def local_environment(folder: Path) -> dict[str, str]:
    """Return the variables of the local stack whose data folder is ``folder``.

    Raise :class:`NoDeployment` if none ever ran there, or if its file cannot be read.
    """
    file = folder / ENVIRONMENT_FILE
    try:
        variables = json.loads(file.read_text())
    except FileNotFoundError:
        raise NoDeployment(
            f"no local stack has run with the data folder {folder}: start one with `make "
            "run`, set SHEEN_DATA to its folder, "
            "or set SHEEN_BUCKET, SHEEN_TABLE_PREFIX and SHEEN_URL to a deployment on AWS"
        ) from None
    except PermissionError:
        raise NoDeployment(
            f"{file} belongs to another user: run the command as the user who started the "
            "local stack"
        ) from None
    except ValueError:
        variables = None
    if not isinstance(variables, dict):
        raise NoDeployment(
            f"{file} is damaged: start the local stack anew with `make run`, which writes it"
        )
    return {str(name): str(value) for name, value in variables.items()}


def is_here() -> bool:
    """Return whether a local stack has run with this folder's data."""
    return (data_folder() / ENVIRONMENT_FILE).is_file()


def use() -> Settings:
    """Point this process at the deployment and return its settings."""
    from chalicelib.lambdas.schema import TABLES

    if "SHEEN_BUCKET" not in os.environ:
        os.environ.update(local_environment(data_folder()))
    settings = Settings.from_environment()
    bind(settings, *TABLES)
    return settings


def url_of(location: str, host: str = "") -> str:
    """Return the public URL of a location: of the deployment's own host, or of another one."""
    base = urlsplit(os.environ.get("SHEEN_URL", "").rstrip("/"))
    if host:
        port = f":{base.port}" if base.port else ""
        base = base._replace(netloc=host + port)
    return f"{base.geturl()}{location.rstrip('/')}/"
