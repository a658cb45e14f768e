"""Copy what untrusted code has made: files and folders of one user, read-only for everyone."""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from machine.untrusted import Folder, TreeEntry, Unsafe
from tasks.packages.errors import NotInstalled

MOST_FILES = 100_000
MOST_BYTES = 4 * 1024**3
_MOST_LINKS = 40
"""Most links that one path may lead through, as in the kernel."""
_CHUNK = 1 << 20


def freeze(package: Folder, target: Path, owner: int) -> None:
    """Copy an installed package to ``target``, and sync it to disk.

    ``target`` is in a folder of this process's own. The copy follows no link and takes only what
    ``owner`` made, because the code may have linked to files that it may not read. Raise
    :class:`NotInstalled`.
    """
    if package.status().st_uid != owner:
        raise NotInstalled(f'"{package.path.name}" is not its own folder')
    links: dict[str, str] = {}
    folders = [target]
    files = size = 0
    target.mkdir(mode=0o755)
    try:
        for found in package.walk():
            path, entry = found.path, found.entry
            files, size = files + 1, size + entry.status.st_size
            if files > MOST_FILES or size > MOST_BYTES:
                raise NotInstalled(f"it has more than {MOST_FILES:,} files or {MOST_BYTES:,} bytes")
            if entry.status.st_uid != owner:
                raise NotInstalled(f'"{entry.name}" in it is not its own file')
            if entry.is_folder:
                (target / path).mkdir(mode=0o755)
                folders.append(target / path)
            elif entry.is_link:
                links[path] = os.readlink(entry.name, dir_fd=found.folder.descriptor)
            elif entry.is_file:
                _copy(found, target / path, owner)
            else:
                raise NotInstalled(f'"{entry.name}" in it is neither file nor folder')
    except Unsafe as error:
        raise NotInstalled(f"it cannot be copied: {error}") from None
    for path, leads in links.items():
        if not stays_inside(path, links):
            raise NotInstalled(f'"{path.rpartition("/")[2]}" in it is a link out of the package')
        (target / path).symlink_to(leads)
    for folder in reversed(folders):
        folder.chmod(0o755)
        sync(folder)


def stays_inside(path: str, links: Mapping[str, str]) -> bool:
    """Return whether a link of a tree leads to something inside, through any of its other links.

    ``links`` holds all links of the tree: path → target, relative to the link's folder. This
    function is pure and does not use the file system.

    >>> stays_inside("a/l", {"a/l": "../b"}), stays_inside("a/l", {"a/l": "../../b"})
    (True, False)
    """
    at: list[str] = []
    ahead = path.split("/")[::-1]
    passed = 0
    while ahead:
        name = ahead.pop()
        if name in ("", "."):
            continue
        if name == "..":
            if not at:
                return False
            at.pop()
            continue
        at.append(name)
        leads = links.get("/".join(at))
        if leads is not None:
            passed += 1
            if leads.startswith("/") or passed > _MOST_LINKS:
                return False
            at.pop()
            ahead += leads.split("/")[::-1]
    return True


def sync(folder: Path) -> None:
    """Sync a folder's entries to disk."""
    with Folder.at(folder) as opened:
        os.fsync(opened.descriptor)


def _copy(found: TreeEntry, to: Path, owner: int) -> None:
    with found.folder.open(found.entry.name) as data, Folder.at(to.parent) as folder:
        status = os.fstat(data.fileno())
        if status.st_uid != owner:
            raise NotInstalled(f'"{to.name}" in it is not its own file')
        with folder.create(to.name, 0o755 if status.st_mode & 0o100 else 0o644) as out:
            shutil.copyfileobj(data, out, _CHUNK)
            out.flush()
            os.fsync(out.fileno())
