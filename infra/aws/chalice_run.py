"""Runs the ``chalice`` command on a project, with one of its ways mended: ``python -m infra.aws.chalice_run PROJECT ARGUMENT…``.

What was deployed is recorded as it goes, not at the end only: a deployment that fails half way is gone on with, where Chalice by itself
would make its APIs a second time.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

from chalice import cli
from chalice.deploy import deployer
from chalice.deploy.executor import Executor

_STATE = Path(".chalice/deployed")


class RecordingExecutor(Executor):
    """Chalice's executor, which writes down each resource as soon as there is one."""

    def execute(self, plan: Any) -> None:
        """Do what was planned."""
        self._makes_sockets = any(getattr(one, "method_name", "") == "create_websocket_api" for one in plan.instructions)
        try:
            super().execute(plan)
        except BaseException:
            self._delete_unfinished_sockets()
            _record(self.resource_values)
            raise

    def _delete_unfinished_sockets(self) -> None:
        """A WebSocket API that is there gets new routes, but no stage: so one that was made, but not finished, must not stay."""
        finished = any(resource["resource_type"] == "websocket_api" for resource in self.resource_values)
        if self._makes_sockets and not finished and "websocket_api_id" in self.variables:
            self._client.delete_websocket_api(self.variables["websocket_api_id"])


def _record(values: list[dict[str, Any]]) -> None:
    """Add resources to those that were there before, in the file that Chalice reads first of all."""
    stage = sys.argv[sys.argv.index("--stage") + 1]
    file = _STATE / f"{stage}.json"
    before = json.loads(file.read_text())["resources"] if file.exists() else []
    every = {one["name"]: one for one in [*before, *values]}
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({"resources": list(every.values()), "schema_version": "2.0", "backend": "api"}))


def main() -> None:
    """Run the command in the project's folder."""
    os.chdir(sys.argv.pop(1))
    deployer.Executor = RecordingExecutor  # type: ignore[attr-defined]  # where Chalice looks for its executor
    sys.exit(cli.main())


if __name__ == "__main__":
    main()
