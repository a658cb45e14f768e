"""Faults of transfers, made on purpose, and drawn like those of :mod:`infra.emulator.faults`."""

from typing import NamedTuple


class TransferFate(NamedTuple):
    """The fate of one execution."""

    fail: bool = False
    """Whether it ends with an error after part of the files is copied."""
    fail_after: int = 0
    """Least number of files that are copied before it fails."""
    stall: bool = False
    """Whether it begins, but never makes progress."""
    lose: bool = False
    """Whether its events never arrive."""
