"""What a kind of content is: the contract that each kind's module fulfils. Pure.

A version's kind is decided once, when it is built (:func:`chalicelib.kinds.recognition.shape_of`).
The version's row keeps the kind's name and the entrypoint. Everybody else reads them there. How a
kind is built stands in ``tasks/kinds``, and how its processes start in ``workers/agent/kinds``.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from chalicelib.publishing import manifest

Content = Callable[[str], bytes]
"""Returns the content of a file, given its path."""


@dataclass(frozen=True)
class AppFiles:
    """The files of a bundle, as seen from the folder that holds all of them."""

    paths: frozenset[str]
    """Relative to :attr:`top`, with ``/``; sometimes only the names at the top."""
    read: Content
    """Takes a path as in :attr:`paths`."""
    top: str = ""
    """The one folder of the bundle that holds everything; empty if the files are at its top."""

    @functools.cached_property
    def names(self) -> frozenset[str]:
        """The paths in lower case, because Shiny ignores case."""
        return frozenset(path.lower() for path in self.paths)

    @functools.cached_property
    def manifest(self) -> dict[str, Any] | None:
        """The manifest that rsconnect wrote beside the app, if there is one."""
        return manifest.parse(self.read(manifest.FILE)) if manifest.FILE in self.paths else None

    @property
    def appmode(self) -> str | None:
        """What the manifest says that it is; None without a manifest of rsconnect's."""
        return str(self.manifest["metadata"]["appmode"]) if self.manifest is not None else None

    def shown(self, path: str) -> str:
        """Return the path of a file in the bundle, for messages."""
        return f"{self.top}/{path}" if self.top else path


class Recognised(NamedTuple):
    """The files are of this kind."""

    entrypoint: str = ""
    """What the kind's process needs to know to start, such as ``app:app``; empty if nothing."""


class NearMiss(NamedTuple):
    """The files are almost of this kind; the sentence says what is missing.

    The author reads it if the files are of no other kind.
    """

    why: str


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind; each module of this package has one, named ``KIND``."""

    name: str
    """Its name in versions' rows. It never changes."""
    words: str
    """What people call it, as in "a Shiny app in R"."""
    appmode: str
    """Its name in manifests of rsconnect. A manifest decides; without one, the files do."""
    looked_for: str
    """The files that make it one, for an author whose bundle has none."""
    recognise: Callable[[AppFiles], Recognised | NearMiss | None]
    """Judges the files. It takes linear time, whatever an author puts into them."""
    has_instance: bool = True
    """Whether an instance serves it. Files alone need none."""
