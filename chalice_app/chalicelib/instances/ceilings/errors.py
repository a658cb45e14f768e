"""Errors of ceilings."""

from chalicelib.errors import Busy


class TooManyInstances(Busy):
    """The deployment runs ``most_instances`` instances, counting spares, and may start no more."""

    def __init__(self, most: int) -> None:
        super().__init__(
            f"{most} instances run, as many as this deployment allows (most_instances); "
            "one has to end before another starts"
        )
