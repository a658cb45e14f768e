"""Finds what a path leads to in a tree of apps and files. Pure."""

from collections.abc import Collection
from enum import Enum
from typing import Protocol
from urllib.parse import unquote, unquote_to_bytes

from chalicelib.configuration.shiny_server_conf.model import Location
from chalicelib.configuration.shiny_server_conf.outcomes import (
    AddSlash,
    AppAt,
    FileAt,
    Forbidden,
    Listing,
    Outcome,
)

INDEX = "index.html"


class Entry(Enum):
    """What is at a path of a tree."""

    APP = "app"
    FOLDER = "folder"
    FILE = "file"
    NONE = "none"


class Tree(Protocol):
    """The files that a configuration's paths lead to."""

    def kind(self, path: str) -> Entry:
        """Return what is at an absolute path, or at one below ``~<user>``."""
        ...

    def groups(self, user: str) -> Collection[str] | None:
        """Return the groups of a user; None: there is no such user."""
        ...


def walk(
    location: Location, root: str, base: str, path: str, tree: Tree, forbidden: str = ""
) -> Outcome | None:
    """Return what a request's path leads to; None: the location passes it on.

    ``base`` is the part of the path that leads to ``root``. ``forbidden`` is a name directly below
    the root that nobody may see.
    """
    if "/." in unquote(path):
        return Forbidden(location)
    if len(path) == len(base):
        return None
    here, titles = root.rstrip("/"), [""]
    kind = tree.kind(here or "/")
    if kind is Entry.APP:
        return AppAt(location, here, base, path[len(base) :])
    stop = len(base)
    while kind is Entry.FOLDER and stop < len(path):
        start = stop + 1
        stop = path.find("/", start)
        stop = len(path) if stop < 0 else stop
        if start == stop:
            continue
        name = _name(path[start:stop])
        if name is None:
            return None
        if forbidden and len(titles) == 1 and name == forbidden:
            return Forbidden(location)
        here = f"{here}/{name}"
        titles.append(name)
        kind = tree.kind(here)
        if kind is Entry.APP:
            if stop == len(path):
                return AddSlash(location, f"{path}/")
            return AppAt(location, here, path[:stop], path[stop:])
    if kind is Entry.FILE and stop == len(path) and not path.endswith("/"):
        return FileAt(location, here)
    if kind is Entry.FOLDER:
        return _folder(location, here, path, "/".join([*titles, ""]), tree)
    return None


def _folder(location: Location, folder: str, path: str, title: str, tree: Tree) -> Outcome | None:
    if not path.endswith("/"):
        return AddSlash(location, f"{path}/")
    index = f"{folder}/{INDEX}"
    if tree.kind(index) is Entry.FILE:
        return FileAt(location, index)
    return Listing(location, folder or "/", title) if location.directory_index else None


def _name(segment: str) -> str | None:
    """Return the file name of a path's segment; None: a file cannot have it."""
    try:
        name = unquote_to_bytes(segment).decode()
    except UnicodeDecodeError:
        return None
    if not name.strip(" ") or name == ".." or any(char in name for char in "/\\\0"):
        return None
    return name
