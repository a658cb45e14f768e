"""The contract that the build half of each kind fulfils."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from chalicelib.configuration.app_settings import AppSettings
from chalicelib.configuration.deployment import Settings
from tasks.build_log import BuildLog
from tasks.packages.restore import LibraryFolders, Tell


@dataclass(frozen=True, slots=True)
class UnpackedBundle:
    """An unpacked bundle, and what the step that installs its packages may use."""

    app: Path
    place: LibraryFolders
    deployment: Settings
    settings: AppSettings
    """The settings in force with those of the bundle."""
    log: BuildLog
    tell: Tell


class Files(NamedTuple):
    """An app's source files, by their paths."""

    run: list[str]
    """Files that run by themselves, in their order; the app's own comes last."""
    others: list[str]
    beside: list[str]
    """Names of everything at the app's top."""


@dataclass(frozen=True, slots=True)
class Check:
    """How an app is looked through before it is published, in a sandbox (:mod:`tasks.check`)."""

    endings: tuple[str, ...]
    """Endings of its source files, in lower case."""
    scripts: tuple[Path, ...]
    """The program that looks, and what it needs; they are put beside the app's files."""
    files: Callable[[Collection[str], list[str], str], Files]
    """Takes the paths of source files, the names at the app's top, and the entrypoint."""
    command: Callable[[str, Files, bool], list[str]]
    """Takes the mark of the program's lines, the files, and whether packages may be elsewhere."""
    variables: Callable[[str], dict[str, str]]
    """Takes the folders of the app's own packages, with colons."""
    own_program: Callable[[AppSettings], str]
    """Returns the program that the app's settings name instead of the image's, or ``""``.

    Such a program has other packages, so the check would say nothing true.
    """


@dataclass(frozen=True, slots=True)
class Build:
    """How a version of one kind is built."""

    restore: Callable[[UnpackedBundle], bool]
    """Makes the library of the app's own packages; returns False if the image's are enough.

    Raises :class:`chalicelib.publishing.errors.BadBundle`.
    """
    check: Check | None = None
    """None if nothing is looked through."""
