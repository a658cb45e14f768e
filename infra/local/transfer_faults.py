"""What may go wrong with a transfer, done on purpose; drawn as :mod:`infra.local.faults` draws."""

from typing import NamedTuple


class TransferFate(NamedTuple):
    """What happens to one execution."""

    fail: bool = False
    """It ends with an error, part of the files copied."""
    fail_after: int = 0
    """How many files are, at least."""
    stall: bool = False
    """It begins and never gets on."""
    lose: bool = False
    """Its events never arrive."""
