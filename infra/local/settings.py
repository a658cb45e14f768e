"""The settings of the local stack."""

import hashlib
import os
import re
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from chalicelib.configuration.app_settings import SIZES
from chalicelib.configuration.deployment import largest_bundle
from chalicelib.configuration.repositories import BadIndex, BadRepositories, Indexes, Repositories
from chalicelib.errors import SettingMissing
from chalicelib.lives import pool
from infra.declared.place import (
    LARGEST_SIZE,
    LONGEST_IDLE,
    MOST_INSTANCES_PER_APP,
    PYTHON_REPOSITORIES,
    REPOSITORIES,
)
from infra.emulator.errors import CannotStart
from infra.emulator.settings import TREE, EmulatorSettings

STAGE = "local"
MOST_CONCURRENCY = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalSettings(EmulatorSettings):
    """The settings of one local stack: its port, its data, and what it runs."""

    port: int = 8000
    data: Path = Path(".sheen")
    chalice_app: Path = TREE / "chalice_app"
    tree: Path = TREE
    bundle_gb: str = "1"
    """Largest size of a bundle."""
    repositories: str = REPOSITORIES
    """Sources of R packages."""
    python_repositories: str = PYTHON_REPOSITORIES
    """Sources of Python packages."""
    spares: str = ""
    """Number of spare instances, such as ``large=1``."""
    most_instances: int = 100
    """Largest number of instances at once, including spares; 0 means no limit."""
    image: Path | None = None
    """The image that tasks run in (:mod:`infra.local.image`); None runs them on this machine."""
    largest_size: str = LARGEST_SIZE
    """Largest size of an app; ``SHEEN_LARGEST_SIZE``."""
    most_instances_per_app: int = MOST_INSTANCES_PER_APP
    """Most instances of an app; ``SHEEN_MOST_INSTANCES_PER_APP``."""
    longest_idle: float = LONGEST_IDLE
    """Longest time that an app may keep an instance without sessions; ``SHEEN_LONGEST_IDLE``.

    It is in seconds; 0 means any time.
    """

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> "LocalSettings":
        """Read the settings from the environment.

        The variables are ``SHEEN_PORT``, ``SHEEN_DATA``, ``SHEEN_BUNDLE_GB``,
        ``SHEEN_REPOSITORIES``, ``SHEEN_PYTHON_REPOSITORIES``, ``SHEEN_SPARES``,
        ``SHEEN_MOST_INSTANCES``, ``SHEEN_CONCURRENCY``, ``SHEEN_IMAGE``, ``SHEEN_LARGEST_SIZE``,
        ``SHEEN_MOST_INSTANCES_PER_APP`` and ``SHEEN_LONGEST_IDLE``. Raise :class:`CannotStart` that
        names what is wrong.
        """
        text = environment.get("SHEEN_PORT", "8000")
        if not text.isdigit() or not 0 < int(text) < 65536:
            raise CannotStart(f"SHEEN_PORT is {text!r}: it must be a port number, 1 to 65535")
        most_instances = environment.get("SHEEN_MOST_INSTANCES", "100")
        if not most_instances.isdigit() or int(most_instances) > 5000:
            raise CannotStart(
                f"SHEEN_MOST_INSTANCES is {most_instances!r}: it must be a number from 0 "
                "(any number of instances) to 5000"
            )
        concurrency = environment.get("SHEEN_CONCURRENCY", "1000")
        if not concurrency.isdigit() or not 0 < int(concurrency) <= MOST_CONCURRENCY:
            raise CannotStart(
                f"SHEEN_CONCURRENCY is {concurrency!r}: it must be a number of "
                f"invocations, 1 to {MOST_CONCURRENCY}"
            )
        try:
            largest_bundle(gigabytes := environment.get("SHEEN_BUNDLE_GB", "1"))
            Repositories.parse(repositories := environment.get("SHEEN_REPOSITORIES", REPOSITORIES))
            Indexes.parse(
                indexes := environment.get("SHEEN_PYTHON_REPOSITORIES", PYTHON_REPOSITORIES)
            )
            pool.parse(spares := environment.get("SHEEN_SPARES", ""))
        except (SettingMissing, BadRepositories, BadIndex, pool.BadSpares) as error:
            raise CannotStart(str(error)) from None
        data = Path(environment.get("SHEEN_DATA", ".sheen")).absolute()
        image = (
            Path(environment["SHEEN_IMAGE"]).absolute() if environment.get("SHEEN_IMAGE") else None
        )
        return cls(
            largest_size=_one_of(SIZES, "SHEEN_LARGEST_SIZE", LARGEST_SIZE, environment),
            most_instances_per_app=_count(
                "SHEEN_MOST_INSTANCES_PER_APP", MOST_INSTANCES_PER_APP, environment
            ),
            longest_idle=float(_count("SHEEN_LONGEST_IDLE", int(LONGEST_IDLE), environment)),
            port=int(text),
            data=data,
            bundle_gb=gigabytes,
            repositories=repositories,
            python_repositories=indexes,
            spares=spares,
            most_instances=int(most_instances),
            concurrency=int(concurrency),
            image=image,
        )

    @property
    def efs(self) -> Path:
        """The folder that stands for EFS.

        Apps' R runs as users of their own, who must be able to reach it. If the data folder is in a
        private home, the file system moves to ``/var/lib/sheen``.
        """
        if os.geteuid() != 0 or all(
            folder.stat().st_mode & stat.S_IXOTH
            for folder in self.data.resolve().parents
            if folder.exists()
        ):
            return self.data / "efs"
        return (
            Path("/var/lib/sheen")
            / f"efs-{hashlib.sha256(os.fsencode(self.data.resolve())).hexdigest()[:12]}"
        )


def _one_of(
    values: Sequence[str], variable: str, default: str, environment: Mapping[str, str]
) -> str:
    value = environment.get(variable, default)
    if value not in values:
        raise CannotStart(f"{variable} is {value!r}: it must be one of {', '.join(values)}")
    return value


def _count(variable: str, default: int, environment: Mapping[str, str]) -> int:
    text = environment.get(variable, str(default))
    if not re.fullmatch("[0-9]{1,7}", text):
        raise CannotStart(f"{variable} is {text!r}: it must be a whole number, 0 for no limit")
    return int(text)
