"""Run ``chalice`` with a fix: ``python -m infra.aws.chalice_run PROJECT ARGUMENT…``.

The fix records what is deployed as it goes, not only at the end. A deployment that failed half way
can then continue, while Chalice alone would create its APIs a second time.
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
    """Chalice's executor, extended to record resources even if the plan fails."""

    def execute(self, plan: Any) -> None:
        """Carry out the plan."""
        self._makes_sockets = any(
            getattr(one, "method_name", "") == "create_websocket_api" for one in plan.instructions
        )
        try:
            super().execute(plan)
        except BaseException:
            self._delete_unfinished_sockets()
            _record(self.resource_values)
            raise

    def _delete_unfinished_sockets(self) -> None:
        """Delete a WebSocket API that was created but not finished.

        Chalice adds routes to an existing WebSocket API, but no stage.
        """
        finished = any(
            resource["resource_type"] == "websocket_api" for resource in self.resource_values
        )
        if self._makes_sockets and not finished and "websocket_api_id" in self.variables:
            self._client.delete_websocket_api(self.variables["websocket_api_id"])


def _record(values: list[dict[str, Any]]) -> None:
    """Merge resources into the recorded ones, in the file that Chalice reads first."""
    stage = sys.argv[sys.argv.index("--stage") + 1]
    file = _STATE / f"{stage}.json"
    before = json.loads(file.read_text())["resources"] if file.exists() else []
    every = {one["name"]: one for one in [*before, *values]}
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(
        json.dumps({"resources": list(every.values()), "schema_version": "2.0", "backend": "api"})
    )


def main() -> None:
    """Run the command in the project's folder."""
    os.chdir(sys.argv.pop(1))
    deployer.Executor = RecordingExecutor  # type: ignore[attr-defined]  # where Chalice looks for its executor
    sys.exit(cli.main())


if __name__ == "__main__":
    main()
