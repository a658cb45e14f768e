"""Collects the files that a ``shiny-server.conf`` names, from a disk or from the bucket."""

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

from botocore.exceptions import ClientError

from chalicelib.aws import clients
from chalicelib.configuration.applied import Content
from chalicelib.configuration.errors import BadConfiguration
from chalicelib.configuration.keys import file_key
from chalicelib.configuration.shiny_server_conf.reading import LONGEST, read
from chalicelib.configuration.shiny_server_conf.use import Use
from chalicelib.pages.replaced import faults

LARGEST_FILE = 1 << 20
"""Bytes of a template or of a password file."""
LARGEST_TEXT = 4 * LONGEST
"""Bytes of a ``shiny-server.conf``; a character has up to four."""
MOST_TEMPLATES = 100
"""Templates of one folder."""
HEALTH_CHECK = "/etc/shiny-server/health-check"
_ENDING = ".html"
_HEALTH_NAME = re.compile(r"health-check(?:-([A-Za-z0-9._~-]{1,64}))?\Z")


class GatheredFiles(Protocol):
    """Where the files are."""

    def names(self, folder: str) -> Sequence[str] | None:
        """Return the names in a folder; None: there is no such folder."""

    def read(self, path: str, most: int) -> bytes | None:
        """Return a file's bytes, at most one more than ``most``; None: there is no such file."""

    def where(self, path: str) -> str:
        """Return a path as people find it."""


@dataclass(frozen=True, slots=True)
class Gathered:
    """A configuration with what it names."""

    content: Content
    passwords: bytes | None
    notes: tuple[str, ...]
    """What is missing, or cannot be used."""


def gather(content: bytes, file: str, files: GatheredFiles) -> Gathered:
    """Collect what a file names; raise :class:`BadConfiguration` if something is too large.

    Of a file with errors, only the text is kept.
    """
    if len(content) > LARGEST_TEXT:
        raise BadConfiguration(
            f"{file}: it has more than {LARGEST_TEXT:,} bytes, and cannot be a shiny-server.conf"
        )
    # Shiny Server, too, goes on after bytes that are no UTF-8, which mostly are in comments.
    text = content.decode(errors="replace")
    reading = read(text, file)
    if reading.errors:
        return Gathered(Content(file, text), None, ())
    gatherer = _Gatherer(files)
    templates = {
        folder: gatherer.templates(folder, where)
        for folder, where in _named(reading.uses, "template_dir", "dir").items()
    }
    passwords = None
    for path, where in _named(reading.uses, "auth_passwd_file", "path").items():
        passwords = gatherer.passwords(path, where)
    health_checks = gatherer.health_checks()
    gathered = Content(file, text, templates, health_checks)
    gathered.to_bytes()
    return Gathered(gathered, passwords, tuple(gatherer.notes))


class _Gatherer:
    def __init__(self, files: GatheredFiles) -> None:
        self._files = files
        self.notes: list[str] = []

    def templates(self, folder: str, where: str) -> dict[str, str]:
        names = self._names(folder, where)
        found = sorted(name for name in names or () if name.endswith(_ENDING))
        if names is not None and not found:
            self.notes.append(
                f"{where}: no template in {self._files.where(folder)}; a template is named as in "
                "error-404.html"
            )
        if len(found) > MOST_TEMPLATES:
            raise BadConfiguration(
                f"{where}: {self._files.where(folder)} has {len(found):,} templates; at most "
                f"{MOST_TEMPLATES} are read"
            )
        templates = {}
        for name in found:
            source = self._text(str(PurePosixPath(folder) / name), where)
            if source is not None and self._is_template(folder, name, source):
                templates[name.removesuffix(_ENDING)] = source
        return templates

    def health_checks(self) -> dict[str, str]:
        folder = str(PurePosixPath(HEALTH_CHECK).parent)
        found = {}
        for name in sorted(self._files.names(folder) or ()):
            match = _HEALTH_NAME.match(name)
            source = self._text(f"{folder}/{name}", name) if match else None
            if match is not None and source is not None:
                found[match[1] or ""] = source
        return found

    def passwords(self, path: str, where: str) -> bytes | None:
        if self._is_absolute(path, where):
            found = self._file(path, where)
            if found is None:
                self.notes.append(
                    f"{where}: there is no {self._files.where(path)}, so nobody in it can sign in"
                )
            return found
        return None

    def _names(self, folder: str, where: str) -> Sequence[str] | None:
        if not self._is_absolute(folder, where):
            return None
        names = self._files.names(folder)
        if names is None:
            self.notes.append(
                f"{where}: there is no {self._files.where(folder)}, so Sheen's own pages are shown"
            )
        return names

    def _is_absolute(self, path: str, where: str) -> bool:
        if path.startswith("/") and ".." not in path.split("/"):
            return True
        self.notes.append(f'{where}: "{path}" is not used; write an absolute path without ..')
        return False

    def _is_template(self, folder: str, name: str, source: str) -> bool:
        found = faults({name.removesuffix(_ENDING): source})
        self.notes += [
            f"{self._files.where(folder)}/{name}: not used, Sheen's own page is shown: {fault}"
            for fault in found
        ]
        return not found

    def _text(self, path: str, where: str) -> str | None:
        content = self._file(path, where)
        return content.decode(errors="replace") if content is not None else None

    def _file(self, path: str, where: str) -> bytes | None:
        content = self._files.read(path, LARGEST_FILE)
        if content is not None and len(content) > LARGEST_FILE:
            raise BadConfiguration(
                f"{where}: {self._files.where(path)} has more than {LARGEST_FILE:,} bytes; make it "
                "smaller, or take it out of the folder"
            )
        return content


def _named(uses: Sequence[Use], directive: str, parameter: str) -> dict[str, str]:
    """Return what a directive names, each once, with the place where it first stands."""
    found: dict[str, str] = {}
    for use in _all(uses):
        if use.name == directive:
            value: Any = use.values[parameter]
            found.setdefault(str(value), f"{use.position.file}:{use.position.line}")
    return found


def _all(uses: Sequence[Use]) -> Iterator[Use]:
    for use in uses:
        yield use
        yield from _all(use.children)


class OnDisk:
    """The files of this machine."""

    def names(self, folder: str) -> Sequence[str] | None:
        """See :class:`GatheredFiles`."""
        try:
            return [entry.name for entry in os.scandir(folder) if entry.is_file()]
        except (FileNotFoundError, NotADirectoryError):
            return None

    def read(self, path: str, most: int) -> bytes | None:
        """See :class:`GatheredFiles`."""
        try:
            with Path(path).open("rb") as file:
                return file.read(most + 1)
        except (FileNotFoundError, NotADirectoryError):
            return None

    def where(self, path: str) -> str:
        """See :class:`GatheredFiles`."""
        return path


class InBucket:
    """The files that lie in the bucket below :data:`chalicelib.configuration.keys.FILES`."""

    def __init__(self, bucket: str) -> None:
        self._bucket = bucket

    def names(self, folder: str) -> Sequence[str] | None:
        """See :class:`GatheredFiles`."""
        prefix = f"{file_key(folder).rstrip('/')}/"
        names: list[str] = []
        pages = (
            clients.client("s3")
            .get_paginator("list_objects_v2")
            .paginate(Bucket=self._bucket, Prefix=prefix, Delimiter="/")
        )
        for page in pages:
            names += (found["Key"].removeprefix(prefix) for found in page.get("Contents", ()))
            if len(names) > 10 * MOST_TEMPLATES:
                break
        return names or None

    def read(self, path: str, most: int) -> bytes | None:
        """See :class:`GatheredFiles`."""
        try:
            answer = clients.client("s3").get_object(Bucket=self._bucket, Key=file_key(path))
        except ClientError as error:
            if error.response["Error"]["Code"] in ("NoSuchKey", "AccessDenied"):
                return None
            raise
        content: bytes = answer["Body"].read(most + 1)
        return content

    def where(self, path: str) -> str:
        """See :class:`GatheredFiles`."""
        return f"s3://{self._bucket}/{file_key(path)}"
