"""The settings of the emulator, and its one account and region."""

import sys
from dataclasses import dataclass
from pathlib import Path

TREE = Path(__file__).resolve().parents[2]
"""The folder from which the emulator's own programs import this package."""

REGION = "us-east-1"
ACCOUNT = "123456789012"


def arn(service: str, resource: str) -> str:
    """Return the ARN of a resource in the emulator's region and account."""
    return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{resource}"


@dataclass(frozen=True, slots=True, kw_only=True)
class EmulatorSettings:
    """The port, the data and the quotas of one emulator."""

    port: int
    data: Path
    python: str = sys.executable
    """The interpreter of the emulator's own programs and of Lambda environments."""
    function_environments: int = 20
    """Most environments of one function at once (FACTS H3)."""
    concurrency: int = 1000
    """Most invocations at once, of all functions, as in an AWS account (FACTS H3)."""
    function_idle_seconds: float = 300
    """Seconds after which an idle environment is ended."""

    @property
    def endpoint(self) -> str:
        """The one endpoint of all services."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def run(self) -> Path:
        """The folder of this run's sockets and spooled bodies."""
        return self.data / "run"

    @property
    def logs(self) -> Path:
        """The folder of the output of functions and tasks."""
        return self.data / "logs"

    @property
    def efs(self) -> Path:
        """The folder that stands for EFS."""
        return self.data / "efs"
