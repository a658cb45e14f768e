"""Trees of apps and files in the bucket, by the names that a configuration gives to them.

A folder ``/srv/shiny-server`` of the file is what is below ``site/srv/shiny-server/`` in the
bucket, and ``~user/ShinyApps`` is what is below ``site/~user/ShinyApps/``. The deployment's setting
``trees`` may lead a folder to another prefix below ``site/``. A bucket has no links, so none leads
out of a tree.
"""

import re
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping
from typing import Any

from botocore.exceptions import ClientError

from chalicelib.apps.errors import FileChanged, FolderTooLarge
from chalicelib.apps.folder_contents import File, FolderContents
from chalicelib.aws import clients
from chalicelib.configuration.shiny_server_conf.site_dir import Entry

PREFIX = "site/"
"""All trees are below this in the bucket."""
REMEMBERED = 2.0
"""Seconds for which a folder's listing is used without being read again."""
MOST_ENTRIES = 10_000
"""The most entries of a folder: ten calls list them."""
_MOST_IN_MEMORY = 50_000
_LONGEST_KEY = 1000
"""Bytes of a key; S3 allows 1,024."""
_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@-]{0,63}\Z")
_GONE = frozenset({"PreconditionFailed", "NoSuchKey", "404", "412", "InvalidRange"})
_EMPTY = FolderContents({}, frozenset())


class Trees:
    """The trees as one Lambda environment remembers them.

    :param mapped: the setting ``trees``: a folder of the file → the prefix below ``site/`` that has
        its content.
    :param members: returns the groups of a user; None: no such user is known. Such a user is there
        if the bucket has a folder of that name, but is in no group.
    """

    def __init__(
        self,
        bucket: str,
        clock: Callable[[], float],
        mapped: Mapping[str, str] | None = None,
        members: Callable[[str], Collection[str] | None] = lambda user: None,
    ) -> None:
        self._bucket = bucket
        self._clock = clock
        self._mapped = {_bare(folder): _bare(to) for folder, to in (mapped or {}).items()}
        self._members = members
        self._folders: OrderedDict[str, tuple[float, FolderContents]] = OrderedDict()
        self._entries = 0

    def kind(self, path: str) -> Entry:
        """Return what is at an absolute path, or at one below ``~<user>``."""
        parent, _, name = path.rpartition("/")
        if name and (listed := self._remembered(self.key(parent))) is not None:
            if name in listed.files:
                return Entry.FILE
            if name not in listed.folders:
                return Entry.NONE
        folder = self.folder(path)
        if folder.exists:
            return Entry.APP if folder.is_app else Entry.FOLDER
        return Entry.FILE if self.file(path) is not None else Entry.NONE

    def groups(self, user: str) -> Collection[str] | None:
        """Return the groups of a user; None: there is no such user."""
        if not _USER.match(user):
            return None
        known = self._members(user)
        if known is not None:
            return known
        return () if self.folder(f"~{user}/ShinyApps").exists else None

    def folder(self, path: str) -> FolderContents:
        """Return a folder's content, empty if there is none; raise :class:`FolderTooLarge`."""
        prefix = self.key(path)
        remembered = self._remembered(prefix)
        if remembered is None:
            remembered = self._list(prefix, path)
            self._remember(prefix, remembered)
        return remembered

    def file(self, path: str) -> File | None:
        """Return a file, or None if there is none; raise :class:`FolderTooLarge`."""
        parent, _, name = path.rpartition("/")
        return self.folder(parent).files.get(name)

    def read(self, path: str, file: File, first: int, length: int) -> bytes:
        """Return a part of a file; raise :class:`FileChanged` if it is another one by now."""
        if not length:
            return b""
        key = self.key(path)
        try:
            answer = clients.client("s3").get_object(
                Bucket=self._bucket,
                Key=key,
                Range=f"bytes={first}-{first + length - 1}",
                IfMatch=file.etag,
            )
            with answer["Body"] as body:
                content: bytes = body.read()
        except ClientError as error:
            if error.response["Error"]["Code"] not in _GONE:
                raise
            self._forget(self.key(path.rpartition("/")[0]))
            raise FileChanged(f"{path} has just changed; ask again") from error
        return content

    def key(self, path: str) -> str:
        """Return the key of a file or a folder, without a slash at its end.

        >>> Trees("b", lambda: 0.0, {"/srv/shiny-server": "live"}).key("/srv/shiny-server/a.txt")
        'site/live/a.txt'
        """
        bare = _bare(path)
        for folder in _prefixes(bare):
            if folder in self._mapped:
                rest = bare[len(folder) :] if folder else f"/{bare}"
                return PREFIX + _bare(self._mapped[folder] + rest)
        return PREFIX + bare

    def _list(self, prefix: str, path: str) -> FolderContents:
        below = prefix.rstrip("/") + "/"
        if len(below.encode(errors="replace")) > _LONGEST_KEY:
            return _EMPTY
        asked: dict[str, Any] = {"Bucket": self._bucket, "Prefix": below, "Delimiter": "/"}
        files: list[File] = []
        folders: list[str] = []
        while True:
            page = clients.client("s3").list_objects_v2(**asked)
            files += (_file(found, below) for found in page.get("Contents", ()))
            folders += (each["Prefix"][len(below) : -1] for each in page.get("CommonPrefixes", ()))
            if len(files) + len(folders) > MOST_ENTRIES:
                raise FolderTooLarge(
                    f"folder {path} has more than {MOST_ENTRIES:,} entries, the most of one "
                    "folder; put its files into several folders"
                )
            if not page.get("IsTruncated"):
                return FolderContents.of(files, folders)
            asked["ContinuationToken"] = page["NextContinuationToken"]

    def _remembered(self, prefix: str) -> FolderContents | None:
        found = self._folders.get(prefix)
        return found[1] if found is not None and self._clock() - found[0] < REMEMBERED else None

    def _remember(self, prefix: str, folder: FolderContents) -> None:
        self._forget(prefix)
        self._folders[prefix] = (self._clock(), folder)
        self._entries += _size(folder)
        while self._entries > _MOST_IN_MEMORY:
            self._forget(next(iter(self._folders)))

    def _forget(self, prefix: str) -> None:
        found = self._folders.pop(prefix, None)
        if found is not None:
            self._entries -= _size(found[1])


def _size(folder: FolderContents) -> int:
    return 1 + len(folder.files) + len(folder.folders)


def _bare(path: str) -> str:
    """Return a path as a part of a key: without slashes at its ends and empty segments."""
    return "/".join(segment for segment in path.split("/") if segment)


def _prefixes(bare: str) -> list[str]:
    """Return a bare path and the paths above it, the longest first; ``""`` is the root."""
    segments = bare.split("/") if bare else []
    return ["/".join(segments[:count]) for count in range(len(segments), -1, -1)]


def _file(found: Mapping[str, Any], below: str) -> File:
    return File(
        found["Key"][len(below) :], found["Size"], found["ETag"], found["LastModified"].timestamp()
    )
