"""First program of every app process: it becomes the app's program once privileges are gone.

The command line is ``python3 -I -S -c <this file> FOLDER DESCRIPTOR PROGRAM ARGUMENT…``.

Programs that root starts must see a clean environment, because variables that an author chose reach
loaders, message catalogues and allocators. So the variables arrive here on standard input. They
take effect only in the last step, which becomes the app's program. This file needs the standard
library only.
"""

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

PYTHON = "/usr/bin/python3"
"""Debian's Python, which every user can run.

The Python that runs this process may be closed to other users.
"""
_LENGTH = 10
"""Number of digits that precede the variables and give their length in bytes."""
_NO_PROGRAM = 127


def command(directory: Path, program: Sequence[str], descriptor: int = -1) -> list[str]:
    """Return the command line that becomes ``program`` in ``directory``.

    The process must first read :func:`variables` from its standard input.

    If ``descriptor`` is not negative, it is the program itself, opened by its starter and passed
    on. It must be one of the starter's own files, never an author's.
    """
    return [
        PYTHON,
        "-I",
        "-S",
        "-c",
        Path(__file__).read_text(),
        str(directory),
        str(descriptor),
        *program,
    ]


def variables(environment: Mapping[str, str]) -> bytes:
    """Return the bytes that carry the program's whole environment.

    Raise :class:`ValueError` if a name or value cannot be a variable.
    """
    lines = [f"{name}={value}" for name, value in environment.items()]
    if any("\0" in line for line in lines) or any("=" in name for name in environment):
        raise ValueError("a variable's name has an equals sign, or a variable has a null byte")
    told = "\0".join(lines).encode("utf-8", "surrogateescape")
    return str(len(told)).zfill(_LENGTH).encode() + told


def _read(size: int) -> bytes:
    """Read exactly ``size`` bytes; whatever follows belongs to the program."""
    got = b""
    while len(got) < size:
        part = os.read(0, size - len(got))
        if not part:
            sys.exit("the agent has ended")
        got += part
    return got


def main(directory: str, descriptor: int, program: list[str]) -> None:
    """Become the program."""
    told = _read(int(_read(_LENGTH)))
    environment = dict(line.split(b"=", 1) for line in told.split(b"\0") if line)
    os.closerange(3, max(3, descriptor))
    os.closerange(max(3, descriptor + 1), os.sysconf("SC_OPEN_MAX"))
    try:
        os.chdir(directory)
    except OSError:
        sys.exit(f"the app's folder {directory} cannot be read by the app's user")
    try:
        if descriptor < 0:
            os.execvpe(program[0], program, environment)  # noqa: S606  (it has no privileges)
        os.set_inheritable(descriptor, False)
        os.execve(descriptor, program, environment)  # noqa: S606
    except OSError as error:
        sys.stderr.write(f"{program[0]}: {error.strerror}\n")
        sys.exit(_NO_PROGRAM)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3:])
