"""The settings of the local stack."""

import hashlib
import os
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from chalicelib.configuration import layers
from chalicelib.configuration.app_settings import SIZES
from chalicelib.configuration.declaring import setting
from chalicelib.configuration.deployment import BUNDLE_GB
from chalicelib.configuration.environment import read
from chalicelib.configuration.errors import BadAppSetting
from chalicelib.configuration.repositories import BadIndex, BadRepositories, Indexes, Repositories
from chalicelib.configuration.rules import Rule, choice, number, words_to
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


def _are(parse: Callable[[str], object]) -> Callable[[str], str]:
    """Return a reader of texts that ``parse`` accepts; its own errors say what is wrong."""

    def read_text(text: str) -> str:
        parse(text)
        return text

    return read_text


_LIMIT = Rule(
    lambda text: int(number(text, 0, 9_999_999, int)), "a whole number, 0 for no limit", "10"
)


def _port(text: str) -> int:
    return int(number(text, 1, 65535, int))


def _path(text: str) -> Path:
    return Path(text).absolute()


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalSettings(EmulatorSettings):
    """The settings of one local stack: its port, its data, and what it runs."""

    port: int = setting(Rule(_port, "a port number, 1 to 65535"), default=8000)
    """The port."""
    data: Path = setting(Rule(_path, "a folder"), default=Path(".sheen"))
    """The data folder."""
    chalice_app: Path = TREE / "chalice_app"
    tree: Path = TREE
    concurrency: int = setting(
        Rule(
            lambda text: int(number(text, 1, MOST_CONCURRENCY, int)),
            f"a number of invocations, 1 to {MOST_CONCURRENCY}",
        ),
        default=1000,
    )
    """Most invocations at once, of all functions, as in an AWS account; a new one has 10."""
    bundle_gb: float = setting(BUNDLE_GB, default=1.0)
    """Largest size of a bundle in GB, packed and unpacked."""
    repositories: str = setting(
        Rule(_are(Repositories.parse), "URLs of repositories, separated by blanks"),
        default=REPOSITORIES,
        see="operator.md#r-packages",
    )
    """Sources of R packages."""
    python_repositories: str = setting(
        Rule(_are(Indexes.parse), "URLs of package indexes, separated by blanks"),
        default=PYTHON_REPOSITORIES,
        see="operator.md#python-packages",
    )
    """Sources of Python packages."""
    spares: str = setting(
        Rule(_are(pool.parse), "sizes with numbers of spare instances, as in large=1,small=2"),
        default="",
        see="operator.md#spare-instances",
    )
    """Number of spare instances by size, such as ``large=1``."""
    most_instances: int = setting(
        Rule(
            lambda text: int(number(text, 0, 5000, int)),
            "a number from 0 (any number of instances) to 5000",
        ),
        default=100,
        see="operator.md#ceilings",
    )
    """Largest number of instances at once, including spares; 0 means no limit."""
    image: Path | None = setting(Rule(_path, "a folder"), default=None, see="operator.md#the-image")
    """The folder of an image that tasks run in; without it, they run on this machine."""
    largest_size: str = setting(
        choice(SIZES), default=LARGEST_SIZE, see="operator.md#what-authors-may-ask-for"
    )
    """The largest ``size`` that an app may have."""
    most_instances_per_app: int = setting(
        _LIMIT, default=MOST_INSTANCES_PER_APP, see="operator.md#what-authors-may-ask-for"
    )
    """The largest ``max_instances`` that an app may have."""
    longest_idle: float = setting(
        _LIMIT, default=LONGEST_IDLE, see="operator.md#what-authors-may-ask-for"
    )
    """The longest ``instance_idle_timeout`` that an app may have, in seconds; 0 means any time."""
    app_defaults: Mapping[str, str] = setting(
        Rule(words_to, "NAME=VALUE words, quoted as for a shell", "'app_idle_timeout=60'"),
        default_factory=dict,
    )
    """What holds for all apps, by the names of apps' settings; bundles and apps override it."""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> "LocalSettings":
        """Read the settings from the environment: ``SHEEN_PORT``, ``SHEEN_DATA`` and so on.

        Raise :class:`CannotStart` that names what is wrong.
        """
        try:
            settings = read(cls, environment)
            layers.check_defaults(settings.app_defaults)
        except (SettingMissing, BadRepositories, BadIndex, pool.BadSpares, BadAppSetting) as error:
            raise CannotStart(str(error)) from None
        return replace(settings, data=settings.data.absolute())

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
