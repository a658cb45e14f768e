"""Deploy the functions: ``chalice deploy`` in a configured copy of the project.

Chalice records what it has deployed in a file. That file and a hash of its sources are kept in the
deployment's bucket, so that the next run can continue from any machine.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from infra import chalice
from infra.aws.errors import DeployError
from infra.declared import Declared, Place
from infra.vendored import CannotVendor, cache_folder

KEY = "deployment/chalice.json"
"""Key of the record in the bucket."""


@dataclass(frozen=True, slots=True)
class ChaliceRecord:
    """What Chalice has deployed, and what it was made from."""

    deployed: dict[str, Any] = field(default_factory=dict)
    """The contents of ``.chalice/deployed/<stage>.json``."""
    made_from: str = ""
    """Hash of code and configuration of the last successful deployment."""

    def api(self, kind: str) -> str:
        """Return the id of the API ``rest_api`` or ``websocket_api``, or an empty string."""
        for resource in self.deployed.get("resources", ()):
            if resource["resource_type"] == kind:
                return str(resource[f"{kind}_id"])
        return ""


class ChaliceFunctions:
    """The functions of one stage.

    ``s3`` is boto3's client. ``work`` is a folder for this stage only.
    """

    def __init__(
        self, project: Path, work: Path, declared: Declared, s3: Any, say: Callable[[str], None]
    ) -> None:
        self._project, self._work, self._declared, self._s3, self._say = (
            project,
            work,
            declared,
            s3,
            say,
        )

    def deploy(self, place: Place, environment: dict[str, str]) -> ChaliceRecord:
        """Deploy the functions, unless neither they nor their configuration have changed.

        ``environment`` holds variables that ``app.py`` reads while Chalice imports it, beside the
        declared ones. Raise :class:`DeployError`.
        """
        environment = {**self._declared.packaging_environment(place), **environment}
        self._copy(place)
        made_from = _hash_of(self._work, environment)
        before = self.record(place.bucket)
        if before.made_from == made_from:
            self._say("  nothing has changed")
            return before
        try:
            after = ChaliceRecord(self._run(place, "deploy", before, environment), made_from)
        except DeployError:
            self._keep(place.bucket, ChaliceRecord(self._deployed(place) or before.deployed))
            raise
        self._keep(place.bucket, after)
        return after

    def delete(self, place: Place, environment: dict[str, str]) -> None:
        """Delete the functions and the APIs, if they exist; raise :class:`DeployError`."""
        before = self.record(place.bucket)
        if not before.deployed:
            self._say("  there are none")
            return
        self._copy(place)
        self._run(place, "delete", before, environment)
        self._s3.delete_object(Bucket=place.bucket, Key=KEY)

    def record(self, bucket: str) -> ChaliceRecord:
        """Return the record of the last deployment, which is empty if there was none."""
        try:
            return ChaliceRecord(
                **json.loads(self._s3.get_object(Bucket=bucket, Key=KEY)["Body"].read())
            )
        except ClientError as error:
            if error.response["Error"]["Code"] in ("NoSuchKey", "NoSuchBucket"):
                return ChaliceRecord()
            raise

    def _keep(self, bucket: str, record: ChaliceRecord) -> None:
        body = json.dumps({"deployed": record.deployed, "made_from": record.made_from})
        self._s3.put_object(Bucket=bucket, Key=KEY, Body=body.encode())

    def _copy(self, place: Place) -> None:
        shutil.rmtree(self._work, ignore_errors=True)
        self._work.parent.mkdir(parents=True, exist_ok=True)
        try:
            chalice.prepare(self._project, self._work, self._declared, place, cache_folder())
        except CannotVendor as error:
            raise DeployError(str(error)) from None

    def _deployed(self, place: Place) -> dict[str, Any]:
        file = self._work / ".chalice" / "deployed" / f"{place.stage}.json"
        deployed: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {}
        return deployed

    def _run(
        self, place: Place, command: str, before: ChaliceRecord, environment: dict[str, str]
    ) -> dict[str, Any]:
        if before.deployed:
            file = self._work / ".chalice" / "deployed" / f"{place.stage}.json"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps(before.deployed))
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "infra.aws.chalice_run",
                str(self._work),
                command,
                "--stage",
                place.stage,
            ],
            cwd=self._project.parent,
            env={**os.environ, "AWS_DEFAULT_REGION": place.region, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert process.stdout is not None
        said: list[str] = []
        for line in process.stdout:
            said.append(line)
            if line.strip():
                self._say(f"  {line.rstrip()}")
        if process.wait() != 0:
            raise DeployError(f"chalice {command} failed:\n{''.join(said[-15:])}")
        return self._deployed(place)


def _hash_of(project: Path, environment: dict[str, str]) -> str:
    digest = hashlib.sha256(f"{sys.version_info[:2]} {sorted(environment.items())}".encode())
    for path in sorted(project.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            digest.update(f"{path.relative_to(project)}\0".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()
