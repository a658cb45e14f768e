"""A Lambda function, as the package declares it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from infra.emulator.settings import ACCOUNT, REGION


@dataclass(frozen=True, slots=True)
class Function:
    """One function of the package."""

    name: str
    handler: str
    code: Path
    """Folder of the unpacked deployment package."""
    layers: tuple[Path, ...] = ()
    """Folders of the unpacked layers; their Python code is in ``python/``."""
    memory_mb: int = 128
    timeout_seconds: float = 60
    environment: Mapping[str, str] = field(default_factory=dict)
    in_vpc: bool = False
    reserved_concurrency: int | None = None
    """How many invocations may run at once, reserved for this function.

    With None, the function uses executions that are not reserved.
    """

    @property
    def arn(self) -> str:
        return f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{self.name}"

    @property
    def principal(self) -> str:
        """The function as a principal of AWS calls."""
        return f"function:{self.name}"
