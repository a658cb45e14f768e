"""Copy a version's files for a user of their own."""

import os
import shutil

from machine.untrusted import Folder

_CHUNK = 1 << 20
_MODE = 0o700
"""Mode of files and folders; a script may run a program that came with it."""


def copy_tree(source: Folder, target: Folder, user: int | None) -> None:
    """Copy the contents of ``source`` into ``target``, and give it to ``user``, if any.

    ``target`` itself is given too. Links stay links. Until then, nobody else can write to
    ``target``.
    """
    for found in source.walk():
        above, _, name = found.path.rpartition("/")
        with (
            target.enter(above)
            if above
            else Folder(os.dup(target.descriptor), target.path) as folder
        ):
            if found.entry.is_folder:
                with folder.make(name, _MODE) as made:
                    _give(made.descriptor, user)
            elif found.entry.is_link:
                os.symlink(
                    os.readlink(name, dir_fd=found.folder.descriptor),
                    name,
                    dir_fd=folder.descriptor,
                )
                if user is not None:
                    os.chown(name, user, user, dir_fd=folder.descriptor, follow_symlinks=False)
            elif found.entry.is_file:
                with found.folder.open(name) as data, folder.create(name, _MODE) as out:
                    shutil.copyfileobj(data, out, _CHUNK)
                    _give(out.fileno(), user)
    _give(target.descriptor, user)


def _give(descriptor: int, user: int | None) -> None:
    if user is not None:
        os.fchown(descriptor, user, user)
