"""Reading files with the rights of a user, in a process that is root.

Linux keeps the user and the groups by which files are checked for each thread. So a call runs in a
thread of its own, which has no more rights than the user and ends with the call.
"""

import ctypes
import os
import platform
import threading
from collections.abc import Callable
from typing import NamedTuple, TypeVar

T = TypeVar("T")
_SETGROUPS = {"x86_64": 116, "aarch64": 159}
"""The number of the system call; the library's function would change all threads."""
_WHICH = ctypes.c_uint(-1)
"""As an argument: change nothing, and say what holds."""


class ObjectReader(NamedTuple):
    """A user, by numbers."""

    user: int
    group: int
    groups: tuple[int, ...] = ()


def as_reader(reader: ObjectReader, call: Callable[[], T]) -> T:
    """Return what ``call`` returns with the reader's rights, or raise what it raises.

    If this process is not root, it has its own rights.
    """
    if os.geteuid() != 0:
        return call()
    results: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            _become(reader)
            results.append(call())
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=run, name="reader")
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]


def _become(reader: ObjectReader) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    groups = (ctypes.c_uint * len(reader.groups))(*reader.groups)
    number = _SETGROUPS.get(platform.machine())
    if number is None or libc.syscall(number, len(reader.groups), groups) != 0:
        raise PermissionError(f"this thread keeps its groups: {os.strerror(ctypes.get_errno())}")
    libc.setfsgid(ctypes.c_uint(reader.group))
    libc.setfsuid(ctypes.c_uint(reader.user))
    if (libc.setfsgid(_WHICH), libc.setfsuid(_WHICH)) != (reader.group, reader.user):
        raise PermissionError("this thread keeps its user")
