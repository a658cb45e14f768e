"""Run an R script of a published app, and upload its output: ``python -m tasks.script``.

The script runs in a copy of its version's files, in a sandbox (:mod:`tasks.sandbox`). It
has no AWS credentials and cannot reach other apps' files. Only what it leaves in the folder
``SHEEN_OUTPUT`` goes to the bucket, and only if it ends with exit status 0.
"""

import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from chalicelib import layout
from chalicelib.aws import clients
from chalicelib.configuration.deployment import Settings
from chalicelib.errors import Broken, SettingMissing, SheenError
from chalicelib.publishing.scripts import check_script, check_target
from chalicelib.telemetry import logger
from machine.untrusted import Folder, Unsafe
from tasks import token
from tasks.build_log import BuildLog
from tasks.copy_tree import copy_tree
from tasks.sandbox import Sandbox, sandbox

PATIENCE = 2 * 3600.0
"""Time limit of a script in seconds."""
MOST_FILES = 1000
MOST_ENTRIES = 10 * MOST_FILES
"""Most files and folders in the output."""


class ScriptFailed(Broken):
    """The script failed, or its output cannot be accepted."""


@dataclass(frozen=True, slots=True)
class ScriptJob:
    """The script to run, from the task's environment."""

    app_id: str
    version: str
    script: str
    target: str
    log_key: str

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "ScriptJob":
        """Read the job from the environment.

        Raise :class:`SettingMissing` that names the variable, or
        :class:`chalicelib.publishing.scripts.BadScript`.
        """
        try:
            return cls(
                app_id=environment["SHEEN_APP_ID"],
                version=environment["SHEEN_VERSION"],
                script=check_script(environment["SHEEN_SCRIPT"]),
                target=check_target(environment["SHEEN_TARGET"]),
                log_key=environment["SHEEN_LOG_KEY"],
            )
        except KeyError as error:
            raise SettingMissing(
                f"environment variable {error.args[0]} is not set; the script state machine sets it"
            ) from None


def run(job: ScriptJob, settings: Settings) -> list[str]:
    """Run the script and upload its output; return the keys.

    Raise :class:`ScriptFailed`.
    """
    version = layout.version(Path(settings.efs), job.app_id, job.version)
    library = layout.library(version)
    if not (version / job.script).is_file():
        raise ScriptFailed(f"version {job.version} of the app has no file {job.script}")
    s3 = clients.client("s3")

    def write(text: bytes) -> None:
        s3.put_object(
            Bucket=settings.bucket,
            Key=job.log_key,
            Body=text,
            ContentType="text/plain; charset=utf-8",
        )

    def failed(error: Exception) -> None:
        logger.warning("the script's log was not written", extra={"error": str(error)})

    with sandbox() as place, BuildLog(write, failed, every=1.0) as log:
        app, output = _copied(version, place), place.make("output")
        environment = {
            **place.variables(),
            "R_CONFIG_ACTIVE": "shinyapps",
            "SHEEN_OUTPUT": str(output),
        }
        if library.is_dir():
            environment["R_LIBS"] = str(_library(library, place))
        command = [
            "/usr/bin/env",
            f"--chdir={app}",
            "R",
            "--no-echo",
            "--no-save",
            "--no-restore",
            f"--file={job.script}",
        ]
        try:
            status = place.run(command, environment, log.say, PATIENCE)
        except TimeoutError:
            raise ScriptFailed(
                f"{job.script} was still running after {PATIENCE / 3600:g} hours and was ended"
            ) from None
        if status != 0:
            last = "\n  ".join(log.last(10))
            raise ScriptFailed(
                f"{job.script} ended with exit status {status}; it said last:\n  {last}"
            )
        keys = []
        with place.open(output.name) as folder:
            for name in outputs(folder, place.owner):
                key = job.target + name
                with _opened(folder, name, place.owner) as file:
                    s3.upload_fileobj(file, settings.bucket, key)
                keys.append(key)
                log.say(f"s3://{settings.bucket}/{key}")
        return keys


def _copied(version: Path, place: Sandbox) -> Path:
    """Copy the version's files, and then give them to the sandbox's user.

    The user's first process starts later.
    """
    with Folder.at(version) as source, place.open() as box, box.make("app") as target:
        copy_tree(source, target, user=place.unix_id)
    return place.folder / "app"


def _library(library: Path, place: Sandbox) -> Path:
    """Copy the app's packages, because the sandbox cannot reach the app's own library.

    Its links lead to the cache, which everyone may read.
    """
    shutil.copytree(library, place.given / "library")
    return place.given / "library"


def outputs(folder: Folder, owner: int) -> list[str]:
    """Return the files that the script wrote, as paths below ``folder``.

    Raise :class:`ScriptFailed` for anything that is not a file of its own, because a link could
    lead anywhere.
    """
    found: list[str] = []
    try:
        for number, each in enumerate(folder.walk(), 1):
            if number > MOST_ENTRIES:
                raise ScriptFailed(
                    f"the script wrote more than {MOST_ENTRIES:,} files and folders; "
                    "nothing was uploaded"
                )
            if each.entry.is_folder:
                continue
            if not each.entry.is_file or each.entry.status.st_uid != owner:
                raise ScriptFailed(_not_its_own(each.path))
            found.append(each.path)
    except Unsafe as error:
        raise ScriptFailed(f"SHEEN_OUTPUT cannot be read: {error}; nothing was uploaded") from None
    if len(found) > MOST_FILES:
        raise ScriptFailed(
            f"the script wrote {len(found):,} files, and may write {MOST_FILES:,}; "
            "nothing was uploaded"
        )
    return sorted(found, key=lambda path: (path.count("/"), path))


def _not_its_own(path: str) -> str:
    return f"{path} in SHEEN_OUTPUT is not a plain file that the script wrote; nothing was uploaded"


def _opened(folder: Folder, path: str, owner: int) -> BinaryIO:
    above, _, name = path.rpartition("/")
    try:
        if not above:
            return folder.open(name, owner)
        with folder.enter(above) as inner:
            return inner.open(name, owner)
    except Unsafe:
        raise ScriptFailed(_not_its_own(path)) from None


def main(environment: Mapping[str, str] = os.environ) -> int:
    """Run and report; return the exit code, which is 0 if any outcome was reported."""
    settings = Settings.from_environment(environment)
    answer_to = environment.get("SHEEN_TASK_TOKEN", "")
    with token.beating(answer_to):
        try:
            keys = run(ScriptJob.from_environment(environment), settings)
        except SheenError as error:
            logger.info("the script failed", extra={"why": str(error)})
            token.fail(answer_to, type(error).__name__, str(error))
        except Exception as error:
            logger.exception("the script's task failed")
            token.fail(answer_to, type(error).__name__, str(error))
            return 1
        else:
            token.succeed(answer_to, {"files": keys})
    return 0


if __name__ == "__main__":
    sys.exit(main())
