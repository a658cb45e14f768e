"""The indexes of Python packages of this deployment."""

import re
from dataclasses import dataclass
from typing import Self

from chalicelib.errors import Malformed

_INDEX = re.compile(r"(https://[^/*@\s]+|http://(127\.0\.0\.1|localhost)(:\d+)?)(/[^*@\s]*)?\Z")


class BadIndex(Malformed):
    """The deployment's setting cannot be parsed."""


@dataclass(frozen=True, slots=True)
class Indexes:
    """The deployment's setting ``SHEEN_PYTHON_REPOSITORIES``: URLs of package indexes.

    An example is ``https://pypi.org/simple``. pip asks all of them and takes the newest version
    that any has. An author's file cannot name others.
    """

    urls: tuple[str, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse the setting, URLs separated by blanks or commas.

        Raise :class:`BadIndex` that names the wrong one.
        """
        urls = text.replace(",", " ").split()
        for url in urls:
            if not _INDEX.match(url):
                raise BadIndex(
                    f'SHEEN_PYTHON_REPOSITORIES: "{url}" is not the https URL of a '
                    "package index, as in https://pypi.org/simple, "
                    "without a name or password in it"
                )
        return cls(tuple(dict.fromkeys(urls)))

    @property
    def options(self) -> list[str]:
        """Return pip's options for the indexes."""
        first, *others = self.urls
        return [
            "--index-url",
            first,
            *(part for url in others for part in ("--extra-index-url", url)),
        ]
