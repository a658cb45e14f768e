"""What code in an app might try against what is not its own. Each attempt is R; what R cannot do
itself, it has Python do.
"""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

Ask = Callable[[str], Any]
"""Has R evaluate code in the app and returns its value; a refusal is a text that begins with
``refused:``.
"""

SYSCALLS = """
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
pid = int(sys.argv[1])
PTRACE_ATTACH, PTRACE_SEIZE, PIDFD_GETFD = 16, 0x4206, 438
def tried(name, result):
    print(name, "GOT IN" if result >= 0 else os.strerror(ctypes.get_errno()))
tried("ptrace attach", libc.ptrace(PTRACE_ATTACH, pid, 0, 0))
tried("ptrace seize", libc.ptrace(PTRACE_SEIZE, pid, 0, 0))
class Vector(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]
buffer = ctypes.create_string_buffer(8)
here, there = Vector(ctypes.addressof(buffer), 8), Vector(int(sys.argv[2], 16), 8)
tried("read memory", libc.process_vm_readv(pid, ctypes.byref(here), 1, ctypes.byref(there), 1, 0))
tried("write memory", libc.process_vm_writev(pid, ctypes.byref(here), 1, ctypes.byref(there), 1, 0))
try:
    handle = os.pidfd_open(pid)
    for number in range(16):
        if libc.syscall(PIDFD_GETFD, handle, number, 0) >= 0:
            print("descriptor GOT IN")
except OSError as error:
    print("pidfd", error.strerror)
for name in ("environ", "mem", "maps", "auxv", "stack", "syscall", "io", "cwd/.", "root/.", "exe", "fd/0", "map_files/."):
    try:
        descriptor = os.open(f"/proc/{pid}/{name}", os.O_RDONLY)
        if name not in ("exe",) and not (name == "mem" and not os.pread(descriptor, 1, int(sys.argv[2], 16))):
            print(name, "GOT IN" if name in ("cwd/.", "root/.", "map_files/.") or os.read(descriptor, 10) else "empty")
    except OSError as error:
        print(name, error.strerror)
"""  # noqa: E501

READABLE = """
import glob, sys
canaries = [word[::-1].encode() for word in sys.argv[1:]]  # told backwards, or it would find itself
for pattern in ("environ", "cmdline", "task/*/environ", "task/*/cmdline"):
    for path in glob.glob("/proc/[0-9]*/" + pattern):
        try:
            text = open(path, "rb").read()
        except OSError:
            continue
        for canary in canaries:
            if canary in text:
                print("GOT IN", path)
"""


def text(value: object) -> str:
    """Write a value as R code."""
    return json.dumps(str(value))


def python(code: str, *arguments: object) -> str:
    """Return R code that has Python run ``code``, and gives the lines that it prints."""
    words = ", ".join(f"shQuote({text(word)})" for word in ("-I", "-c", code, *arguments))
    return (
        f"suppressWarnings(system2('/usr/bin/python3', c({words}), stdout = TRUE, stderr = TRUE))"
    )


def shell(command: str) -> str:
    """Return R code that has a shell run ``command``, and gives the lines that it prints."""
    return (
        f"suppressWarnings(system2('sh', c('-c', shQuote({text(command)})), stdout = TRUE, "
        "stderr = TRUE))"
    )


def lines(value: Any) -> list[str]:
    """Return what a program printed."""
    return [str(line) for line in value] if isinstance(value, list) else [str(value)]


def reads(path: object) -> str:
    """Return R code that reads a file."""
    return f"rawToChar(readBin({text(path)}, 'raw', 1000))"


def lists(path: object) -> str:
    """Return R code that tells what is in a folder."""
    return f"list.files({text(path)}, all.files = TRUE, no.. = TRUE)"


def writes(path: object) -> str:
    """Return R code that makes a file."""
    return f"{{ cat('x', file = {text(path)}); 'GOT IN' }}"


def cannot_read(ask: Ask, paths: Sequence[Path]) -> None:
    """Assert that R reads none of the files and folders, nor makes a link to one that it could read
    through.
    """
    for path in paths:
        value = ask(lists(path) if path.is_dir() else reads(path))
        assert value in ([], {}) or str(value).find("cannot open") >= 0, (path, value)
        linked = ask(
            f"{{ at <- tempfile(); file.symlink({text(path)}, at); if (dir.exists(at)) "
            "list.files(at) else readLines(at) }"
        )
        assert linked in ([], {}) or "cannot open" in str(linked), (path, linked)


def cannot_write(ask: Ask, folders: Sequence[Path]) -> None:
    """Assert that R makes no file in any of the folders."""
    for folder in folders:
        assert "cannot open" in str(ask(writes(folder / "made-by-an-app"))), folder
        assert not (folder / "made-by-an-app").exists()


def cannot_change(ask: Ask, folders: Sequence[Path]) -> None:
    """Assert that R makes no file in any of the folders, nor removes or renames one, nor changes
    who may do what with them.
    """
    cannot_write(ask, folders)
    for folder in folders:
        mode = folder.stat().st_mode
        ask(f"Sys.chmod({text(folder)}, '0777')")
        assert folder.stat().st_mode == mode, folder
        for inside in list(folder.iterdir())[:3]:
            ask(
                f"c(file.remove({text(inside)}), file.rename({text(inside)}, "
                f"{text(folder / 'renamed')}))"
            )
            assert inside.exists(), inside
