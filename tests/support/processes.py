"""Processes of the machine that runs the tests."""

from pathlib import Path


def is_running(pid: int) -> bool:
    """Tell whether a process runs. One that has ended, and that nobody has waited for yet, does
    not.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"
