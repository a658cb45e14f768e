"""Read an app's own lock files from its unpacked bundle."""

from pathlib import Path

from machine.untrusted import Folder, Unsafe
from tasks.packages.errors import BadLock


def read_text(app: Path, name: str, most: int) -> str | None:
    """Return the contents of a file of at most ``most`` bytes, or None if it does not exist.

    ``name`` may contain slashes. Raise :class:`BadLock` that names the file if it is a link, too
    large, or not UTF-8.
    """
    above, _, base = name.rpartition("/")
    try:
        with Folder.at(app) as top:
            if not above:
                data = _read(top, base, name, most)
            else:
                with top.enter(above) as folder:
                    data = _read(folder, base, name, most)
        return data.decode("utf-8-sig")
    except FileNotFoundError:
        return None
    except Unsafe as error:
        raise BadLock(f"{name}: it {error.strerror}; make it a file of the app's own") from None
    except UnicodeDecodeError:
        raise BadLock(f"{name}: it is not UTF-8; save it as that") from None


def _read(folder: Folder, base: str, name: str, most: int) -> bytes:
    size = folder.stat(base).st_size
    if size > most:
        raise BadLock(f"{name}: it has {size:,} bytes; it may have {most:,}")
    return folder.read(base, most)
