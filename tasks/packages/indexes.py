"""Indexes of Python packages: which ones this deployment uses."""

import re
from dataclasses import dataclass
from typing import Self

from chalicelib.errors import SheenError

_INDEX = re.compile(r"(https://[^/*@\s]+|http://(127\.0\.0\.1|localhost)(:\d+)?)(/[^*@\s]*)?\Z")


class BadIndex(SheenError):
    """The deployment's setting cannot be read."""


@dataclass(frozen=True, slots=True)
class Indexes:
    """The deployment's setting ``SHEEN_PYTHON_REPOSITORIES``: URLs of package indexes, as in ``https://pypi.org/simple``.

    pip asks all of them, and takes the newest version that any has. An author's file names no others.
    """

    urls: tuple[str, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the setting, URLs with blanks or commas between them; raise :class:`BadIndex` that names the wrong one."""
        urls = text.replace(",", " ").split()
        for url in urls:
            if not _INDEX.match(url):
                raise BadIndex(
                    f'SHEEN_PYTHON_REPOSITORIES: "{url}" is not the https URL of a package index, as in https://pypi.org/simple, '
                    "without a name or password in it"
                )
        return cls(tuple(dict.fromkeys(urls)))

    @property
    def options(self) -> list[str]:
        """What tells pip."""
        first, *others = self.urls
        return ["--index-url", first, *(part for url in others for part in ("--extra-index-url", url))]
