"""Runs an R script of a published app, and puts what it wrote into the bucket: ``python -m tasks.script``.

The script runs in a copy of its version's files, in a sandbox (:mod:`tasks.packages.sandbox`): without AWS's credentials and out of reach
of other apps' files. What it leaves in the folder ``SHEEN_OUTPUT`` goes to the bucket when it ends with exit status 0, and nothing else.
"""

import os
import shutil
import stat
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, NamedTuple

from chalicelib import aws
from chalicelib.errors import SettingMissing, SheenError
from chalicelib.scripts import check_script, check_target
from chalicelib.settings import Settings
from chalicelib.telemetry import logger
from tasks import token
from tasks.packages.log import BuildLog
from tasks.packages.sandbox import Sandbox, sandbox

PATIENCE = 2 * 3600.0
"""Seconds for which a script may run."""
MOST_FILES = 1000


class ScriptFailed(SheenError):
    """The script ended with a failure, or what it wrote cannot be taken."""


@dataclass(frozen=True, slots=True)
class Job:
    """What to run, from the task's environment."""

    app_id: str
    version: str
    script: str
    target: str
    log_key: str

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Job":
        """Read the job; raise :class:`SettingMissing` that names the variable, or :class:`chalicelib.scripts.BadScript`."""
        try:
            return cls(
                app_id=environment["SHEEN_APP_ID"],
                version=environment["SHEEN_VERSION"],
                script=check_script(environment["SHEEN_SCRIPT"]),
                target=check_target(environment["SHEEN_TARGET"]),
                log_key=environment["SHEEN_LOG_KEY"],
            )
        except KeyError as error:
            raise SettingMissing(f"environment variable {error.args[0]} is not set; the script state machine sets it") from None


class Output(NamedTuple):
    """One file that the script wrote."""

    name: str
    """Below its folder, with slashes."""
    path: Path


def run(job: Job, settings: Settings) -> list[str]:
    """Run the script and upload what it wrote; return the keys. Raise :class:`ScriptFailed`."""
    version = Path(settings.efs) / "apps" / job.app_id / job.version
    library = version.with_name(f"{version.name}.library")
    if not (version / job.script).is_file():
        raise ScriptFailed(f"version {job.version} of the app has no file {job.script}")
    s3 = aws.client("s3")

    def write(text: bytes) -> None:
        s3.put_object(Bucket=settings.bucket, Key=job.log_key, Body=text, ContentType="text/plain; charset=utf-8")

    def failed(error: Exception) -> None:
        logger.warning("the script's log was not written", extra={"error": str(error)})

    with sandbox() as place, BuildLog(write, failed, every=1.0) as log:
        app, output = _copied(version, place), place.make("output")
        environment = {
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "HOME": str(place.make("home")),
            "TMPDIR": str(place.make("tmp")),
            "LANG": "C.UTF-8",
            "R_CONFIG_ACTIVE": "shinyapps",
            "SHEEN_OUTPUT": str(output),
        }
        if library.is_dir():
            shutil.copytree(library, place.folder / "library")  # the sandbox cannot reach the app's own
            environment["R_LIBS"] = str(place.folder / "library")
        command = ["/usr/bin/env", f"--chdir={app}", "R", "--no-echo", "--no-save", "--no-restore", f"--file={job.script}"]
        try:
            status = place.run(command, environment, log.say, PATIENCE)
        except TimeoutError:
            raise ScriptFailed(f"{job.script} was still running after {PATIENCE / 3600:g} hours and was ended") from None
        if status != 0:
            last = "\n  ".join(log.last(10))
            raise ScriptFailed(f"{job.script} ended with exit status {status}; it said last:\n  {last}")
        keys = []
        for written in _outputs(output, place.owner):
            key = job.target + written.name
            with _opened(written) as file:
                s3.upload_fileobj(file, settings.bucket, key)
            keys.append(key)
            log.say(f"s3://{settings.bucket}/{key}")
        return keys


def _copied(version: Path, place: Sandbox) -> Path:
    app = place.make("app")
    shutil.copytree(version, app, symlinks=True, dirs_exist_ok=True)
    for at, folders, files in os.walk(app):
        for path in (Path(at), *(Path(at, name) for name in (*folders, *files))):
            os.chown(path, place.owner, -1, follow_symlinks=False)
            if not path.is_symlink():
                path.chmod(0o700)
    return app


def _outputs(folder: Path, owner: int) -> Iterator[Output]:
    """Find what the script wrote; raise :class:`ScriptFailed` for what is no file of its own: a link could lead anywhere."""
    found = 0
    for at, folders, files in os.walk(folder):
        folders.sort()
        for path in (Path(at, name) for name in sorted((*files, *(name for name in folders if Path(at, name).is_symlink())))):
            name = path.relative_to(folder).as_posix()
            about = path.lstat()
            if not stat.S_ISREG(about.st_mode) or about.st_uid != owner:
                raise ScriptFailed(f"{name} in SHEEN_OUTPUT is not a plain file that the script wrote; nothing after it was uploaded")
            found += 1
            if found > MOST_FILES:
                raise ScriptFailed(
                    f"the script wrote more than {MOST_FILES:,} files; those after the first {MOST_FILES:,} were not uploaded"
                )
            yield Output(name, path)


def _opened(written: Output) -> IO[bytes]:
    return os.fdopen(os.open(written.path, os.O_RDONLY | os.O_NOFOLLOW), "rb")


def main(environment: Mapping[str, str] = os.environ) -> int:
    """Run, and report; return the exit code: 0 when the outcome was reported, whatever it was."""
    settings = Settings.from_environment(environment)
    answer_to = environment.get("SHEEN_TASK_TOKEN", "")
    with token.beating(answer_to):
        try:
            keys = run(Job.from_environment(environment), settings)
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
