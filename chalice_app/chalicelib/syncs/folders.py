"""Who may enter the folders of a sync's files. :mod:`chalicelib.layout` says where they are. Pure.

``synced/<name>/`` lets in the group of the sync's readers and nobody else. Apps see the folder
``data`` in it, through the link ``syncs/<name>``. Only the group of the sync's writers may add to
``data``, and its sticky bit protects the files of others. Incomplete files are kept beside
``data``, where no app sees them. EFS has no access lists and a folder has one group, so there are
two folders, each with its own group.
"""

MOST_SYNCS = 16
"""The most synced folders that one app sees."""
MOST_GROUPS = 2 * MOST_SYNCS

GATE_MODE = 0o750
DATA_MODE = 0o3775
FOLDER_MODE = 0o755
FILE_MODE = 0o644


def groups(mode: str, read_gid: int, write_gid: int) -> tuple[int, ...]:
    """Return the groups of an app whose ``data`` setting gives a sync ``mode``.

    ``mode`` is ``read`` or ``write``.
    """
    return (read_gid, write_gid) if mode == "write" else (read_gid,)
