"""What a change does to the pointer, and which uploads count. Pure."""

from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import NamedTuple

KEPT = 20
"""Entries of the history; with an entry goes its configuration, unless another needs it."""


@dataclass(frozen=True, slots=True)
class Pointer:
    """What the pointer's row says; without a row, the defaults."""

    number: int = 0
    """The number of the newest entry."""
    configuration: str | None = None
    previous: str | None = None
    upload: str | None = None
    """The position of the newest upload that was dealt with."""
    upload_entry: int = 0
    """The number of that upload's entry."""
    at: float = 0.0
    """When another configuration, or none, took the place of the one before."""


class ConfigurationUpload(NamedTuple):
    """One upload of a file into the bucket."""

    position: str
    """Its place in the order of uploads (:func:`chalicelib.publishing.keys.upload_order`)."""
    at: float
    """When it was made, to the second below."""


class ConfigurationStanding(Enum):
    """Where an upload stands among the changes so far."""

    NEW = auto()
    REPEATED = auto()
    """The same upload was dealt with before."""
    OUTDATED = auto()
    """A later upload was dealt with before."""
    OVERTAKEN = auto()
    """Since the upload, another change was made by a command."""


def standing(pointer: Pointer, upload: ConfigurationUpload) -> ConfigurationStanding:
    """Return where an upload stands.

    An upload and a command in the same second: what arrives last counts.
    """
    if pointer.upload is not None and upload.position <= pointer.upload:
        return (
            ConfigurationStanding.REPEATED
            if upload.position == pointer.upload
            else ConfigurationStanding.OUTDATED
        )
    return (
        ConfigurationStanding.OVERTAKEN
        if upload.at < int(pointer.at)
        else ConfigurationStanding.NEW
    )


def noted(pointer: Pointer, upload: ConfigurationUpload | None) -> Pointer:
    """Return the pointer after an entry that changes nothing."""
    number = pointer.number + 1
    if upload is None:
        return replace(pointer, number=number)
    return replace(pointer, number=number, upload=upload.position, upload_entry=number)


def switched(
    pointer: Pointer,
    configuration: str | None,
    at: float,
    upload: ConfigurationUpload | None = None,
) -> Pointer:
    """Return the pointer after a change to a configuration, or to none."""
    previous = pointer.previous
    if pointer.configuration is not None and pointer.configuration != configuration:
        previous = pointer.configuration
    return replace(noted(pointer, upload), configuration=configuration, previous=previous, at=at)


class HistoryEntry(NamedTuple):
    """An entry of the history, as far as it decides what is kept."""

    number: int
    configuration: str | None


def outlived(pointer: Pointer, entries: list[HistoryEntry]) -> tuple[list[int], list[str]]:
    """Return the numbers of entries to remove, and the configurations that nothing needs then.

    Nobody else can come to need one of them: a rollback leads to what the pointer or one of the
    newest entries names, and its write fails if the pointer has changed.
    """
    newest = max([pointer.number, *(entry.number for entry in entries)])
    old = [entry for entry in entries if entry.number <= newest - KEPT]
    needed = {pointer.configuration, pointer.previous}
    needed |= {entry.configuration for entry in entries if entry.number > newest - KEPT}
    unneeded = dict.fromkeys(entry.configuration for entry in old)
    return (
        [entry.number for entry in old],
        [each for each in unneeded if each is not None and each not in needed],
    )
