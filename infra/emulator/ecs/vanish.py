"""Make a process's sockets behave as if its machine had vanished.

Everything that arrives is dropped before TCP sees it. No FIN, no RST and no acknowledgement leaves,
as when a task's network interface is deleted. The kernel does this by a socket filter that accepts
no packet, so it needs no rights over the machine's network.
"""

import contextlib
import ctypes
import os
import socket
import struct
from collections.abc import Iterable
from pathlib import Path

_SO_ATTACH_FILTER = 26
_PIDFD_GETFD = 438
"""Number of the system call, the same on every architecture; Python does not know it."""
_RETURN_NOTHING = struct.pack("HBBI", 0x06, 0, 0, 0)
"""The filter's one instruction: keep no byte of any packet."""


def silence(connection: socket.socket) -> None:
    """Drop everything that arrives at this socket from now on.

    At a listening socket, connecting clients get no answer.
    """
    code = ctypes.create_string_buffer(_RETURN_NOTHING, len(_RETURN_NOTHING))
    program = struct.pack("HL", 1, ctypes.addressof(code))
    connection.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, program)


def take_silenced(pids: Iterable[int]) -> list[socket.socket]:
    """Return copies of all TCP sockets of these processes, silenced.

    While the copies are open, the end of the processes sends nothing either.
    """
    taken = []
    for pid in pids:
        for connection in _tcp_sockets(pid):
            silence(connection)
            taken.append(connection)
    return taken


def _tcp_sockets(pid: int) -> Iterable[socket.socket]:
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        for entry in list(Path(f"/proc/{pid}/fd").iterdir()):
            with contextlib.suppress(OSError):  # closed meanwhile
                if str(entry.readlink()).startswith("socket:"):
                    yield from _if_tcp(_copied(process, int(entry.name)))
    except FileNotFoundError:
        return  # it ended meanwhile
    finally:
        os.close(process)


def _copied(process: int, number: int) -> socket.socket:
    copied = ctypes.CDLL(None, use_errno=True).syscall(_PIDFD_GETFD, process, number, 0)
    if copied < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return socket.socket(fileno=copied)


def _if_tcp(copied: socket.socket) -> Iterable[socket.socket]:
    if copied.family in (socket.AF_INET, socket.AF_INET6) and copied.type == socket.SOCK_STREAM:
        yield copied
    else:
        copied.close()
