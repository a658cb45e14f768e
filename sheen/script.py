"""``sheen run /PATH SCRIPT [--to PREFIX]``: run an R script of a published app as a task.

The command follows the task to its end.
"""

import json
import time
import uuid
from typing import Any

from botocore.exceptions import ClientError

from chalicelib.apps import locations
from chalicelib.apps import store as apps
from chalicelib.aws.clients import client
from chalicelib.configuration.deployment import Settings
from chalicelib.errors import Broken
from chalicelib.publishing import scripts
from chalicelib.syncs.definition import OWN_DATA
from sheen.console import say

PAUSE = 1.0
"""Seconds between two looks."""


class RunFailed(Broken):
    """The script failed, or could not be run."""


def run_script(settings: Settings, location: str, script: str, target: str | None) -> None:
    """Run a script of the app's active version.

    What the script writes to SHEEN_OUTPUT goes below ``target`` (default: ``data/<app>/``). Raise
    :class:`RunFailed`, :class:`chalicelib.apps.errors.NoSuchApp` or
    :class:`chalicelib.publishing.scripts.BadScript`.
    """
    location = locations.check(location)
    app = apps.at(location)
    if app.active_version is None:
        raise RunFailed(f"the app at {location} has no version yet; publish it")
    stamp = f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{uuid.uuid4().hex[:8]}"
    log_key = f"{scripts.LOGS}{location.strip('/') or 'root'}/{stamp}.log"
    job = {
        "app_id": app.app_id,
        "version": app.active_version,
        "script": scripts.check_script(script),
        "target": scripts.check_target(
            target or f"{OWN_DATA}{location.rpartition('/')[2] or 'root'}/"
        ),
        "log_key": log_key,
    }
    states = client("stepfunctions")
    execution = states.start_execution(
        stateMachineArn=settings.script_state_machine,
        name=f"{app.app_id}-{stamp}",
        input=json.dumps(job),
    )["executionArn"]
    log = _Log(settings.bucket, log_key)
    while True:
        ended = states.describe_execution(executionArn=execution)
        log.show_more()
        if ended["status"] != "RUNNING":
            break
        time.sleep(PAUSE)
    if ended["status"] != "SUCCEEDED":
        raise RunFailed(ended.get("cause") or f"{script}: {ended.get('error') or ended['status']}")


class _Log:
    """The output of the script so far. Each line is shown once."""

    def __init__(self, bucket: str, key: str) -> None:
        self._bucket = bucket
        self._key = key
        self._shown = 0

    def show_more(self) -> None:
        try:
            found: Any = client("s3").get_object(Bucket=self._bucket, Key=self._key)
        except ClientError as error:
            if error.response["Error"]["Code"] in ("NoSuchKey", "404"):
                return
            raise
        lines = found["Body"].read().decode(errors="replace").splitlines()
        for line in lines[self._shown :]:
            say(line)
        self._shown = len(lines)
