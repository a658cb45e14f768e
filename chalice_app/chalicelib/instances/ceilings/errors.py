"""What happens at a ceiling."""

from chalicelib.errors import SheenError


class TooManyInstances(SheenError):
    """As many instances run, spares counted, as ``most_instances`` of the deployment allows."""

    def __init__(self, most: int) -> None:
        super().__init__(f"{most} instances run, as many as this deployment allows (most_instances); one has to end before another starts")
