"""What the task learns at its start from environment variables."""

import os
from collections.abc import MutableMapping
from dataclasses import dataclass, field
from pathlib import Path

from chalicelib.errors import SettingMissing
from chalicelib.instances.model import InstanceRef


@dataclass(frozen=True, slots=True)
class Launch:
    """One start of the agent."""

    ref: InstanceRef
    token: str = field(repr=False)
    """The task token with which the state machine waits for this instance to be ready; a secret."""
    client_dir: Path
    """Folder of the browser client's files."""
    metadata_url: str
    """The task metadata endpoint, version 4."""

    @classmethod
    def take(cls, environment: MutableMapping[str, str] = os.environ) -> "Launch":
        """Read the variables, and remove the token from them.

        Raise :class:`SettingMissing`, which names the variable that is missing or wrong.
        """

        def required(name: str) -> str:
            try:
                return environment[name]
            except KeyError:
                raise SettingMissing(
                    f"environment variable {name} is not set; the agent runs as an ECS "
                    "task, started by the state machine"
                ) from None

        text = required("SHEEN_INSTANCE")
        try:
            ref = InstanceRef.parse(text)
        except ValueError:
            raise SettingMissing(
                f"SHEEN_INSTANCE is {text!r}; it must be <app_id>.<version>/<slot>/<instance_id>"
            ) from None
        token = required("SHEEN_TASK_TOKEN")
        del environment["SHEEN_TASK_TOKEN"]
        return cls(
            ref,
            token,
            Path(environment.get("SHEEN_CLIENT_DIR", "")),
            required("ECS_CONTAINER_METADATA_URI_V4"),
        )
