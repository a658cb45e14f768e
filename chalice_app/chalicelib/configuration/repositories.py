"""Where the deployment's packages come from: the settings that list repositories and indexes. Pure.

Builds ask them. A stage and the local stack check them before anything starts.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

from chalicelib.errors import Malformed

DEFAULT = "default"
"""Stands for what the image's R, or pip, asks by itself."""
_BELOW = re.compile(r"https?://[A-Za-z0-9._~:/-]+\Z")
"""A URL without name, password, encoded characters or query.

Such a URL cannot escape from its beginning.
"""
_REPOSITORY = re.compile(r"https?://[^/*@\s]+(/[^*@\s]*)?(/\*)?\Z")
_INDEX = re.compile(r"(https://[^/*@\s]+|http://(127\.0\.0\.1|localhost)(:\d+)?)(/[^*@\s]*)?\Z")


class BadRepositories(Malformed):
    """The setting of R's repositories cannot be parsed."""


class BadIndex(Malformed):
    """The setting of Python's indexes cannot be parsed."""


@dataclass(frozen=True, slots=True)
class Repositories:
    """The deployment's setting ``SHEEN_REPOSITORIES``: URLs, in the order in which they are asked.

    Lock files come from authors. What they name would be fetched from within the deployment's
    network, and kept where all apps have it. A repository that a lock file names is therefore asked
    only if it is one of these, or lies below one that ends in ``/*``.
    ``https://snapshots.example.org/*`` is not asked itself, but allows lock files to name its
    snapshots. ``default`` is the repository that the image's R asks by itself.
    """

    urls: tuple[str, ...] = ()
    allowed: tuple[str, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse the setting, URLs separated by blanks or commas.

        Raise :class:`BadRepositories` that names the wrong one.
        """
        entries = text.replace(",", " ").split()
        for entry in entries:
            if entry != DEFAULT and not _REPOSITORY.match(entry):
                raise BadRepositories(
                    f'SHEEN_REPOSITORIES: "{entry}" is not "{DEFAULT}", nor the URL of a '
                    "repository, as in https://r.example.org, "
                    "nor of what lock files may name, as in https://snapshots.example.org/*"
                )
        return cls(
            tuple(dict.fromkeys(_plain(entry) for entry in entries if not entry.endswith("/*"))),
            tuple(entry.removesuffix("*") for entry in entries if entry.endswith("/*")),
        )

    def resolved(self, default: Callable[[], str]) -> Self:
        """Return the setting with the URL that ``default`` returns in place of ``default``."""
        if DEFAULT not in self.urls:
            return self
        urls = (_plain(default()) if url == DEFAULT else url for url in self.urls)
        return type(self)(tuple(dict.fromkeys(urls)), self.allowed)

    def asked_for(self, named: str) -> tuple[str, ...]:
        """Return the repositories to ask for a package whose lock file names ``named``.

        That one comes first, if it is allowed. The deployment's follow. ``named`` may be empty.
        """
        named = _plain(named)
        may = named in self.urls or (
            bool(_BELOW.match(named)) and ".." not in named and f"{named}/".startswith(self.allowed)
        )
        return tuple(dict.fromkeys([*([named] if may else []), *self.urls]))


@dataclass(frozen=True, slots=True)
class Indexes:
    """The deployment's setting ``SHEEN_PYTHON_REPOSITORIES``: URLs of package indexes.

    An example is ``https://python.example.org/simple``. ``default`` is the index that pip asks by
    itself. pip asks all of them and takes the newest version that any has. An author's file cannot
    name others.
    """

    urls: tuple[str, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse the setting, URLs separated by blanks or commas.

        Raise :class:`BadIndex` that names the wrong one.
        """
        urls = text.replace(",", " ").split()
        for url in urls:
            if url != DEFAULT and not _INDEX.match(url):
                raise BadIndex(
                    f'SHEEN_PYTHON_REPOSITORIES: "{url}" is not "{DEFAULT}", nor the https URL '
                    "of a package index, as in https://python.example.org/simple, "
                    "without a name or password in it"
                )
        return cls(tuple(dict.fromkeys(urls)))

    @property
    def options(self) -> list[str]:
        """Return pip's options for the indexes."""
        first, *others = sorted(self.urls, key=lambda url: url != DEFAULT)
        return [
            *(() if first == DEFAULT else ("--index-url", first)),
            *(part for url in others for part in ("--extra-index-url", url)),
        ]


def _plain(url: str) -> str:
    return url.rstrip("/").removesuffix("/src/contrib")
