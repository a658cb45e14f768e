"""Build a version from a bundle: ``python -m tasks.build``.

The bundle is downloaded, checked, and unpacked into a temporary folder on EFS. One rename turns
this folder into a version, so the version is complete or absent. A copy of the bundle is kept in S3
as long as the version exists. The outcome goes to the state machine by task token:
:class:`chalicelib.publishing.publish.BuildResult`, or ``BadBundle`` with a sentence for the author.
"""

import functools
import os
import shutil
import sys
import tempfile
import uuid
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from chalicelib import layout
from chalicelib.apps import grants
from chalicelib.apps.model import App
from chalicelib.aws import clients
from chalicelib.aws.tables import bind
from chalicelib.clock import wall_clock
from chalicelib.configuration import layers
from chalicelib.configuration.app_settings import AppSettings
from chalicelib.configuration.deployment import Settings
from chalicelib.configuration.errors import BadAppSetting
from chalicelib.configuration.shiny_server_conf import app_file
from chalicelib.errors import SettingMissing
from chalicelib.failures import Failure
from chalicelib.kinds import recognition
from chalicelib.kinds.recognition import Shape
from chalicelib.publishing import manifest, settings_file, store
from chalicelib.publishing.errors import BadBundle
from chalicelib.publishing.keys import kept_key, log_key
from chalicelib.publishing.limits import BundleLimits
from chalicelib.publishing.model import Bundle
from chalicelib.publishing.publish import BuildResult, built_for
from chalicelib.publishing.status import BundleStatus
from chalicelib.telemetry import logger
from machine import process
from tasks import token, version_folder
from tasks.archive import Archive, read
from tasks.build_log import BuildLog
from tasks.check import check
from tasks.discard import discard
from tasks.kinds import builds
from tasks.kinds.build import Build, UnpackedBundle
from tasks.packages import image
from tasks.packages.restore import LibraryFolders
from tasks.packages.sweep import sweep

PROGRESS_EVERY = 500
"""Number of files between two messages to the author."""


@dataclass(frozen=True, slots=True)
class BuildJob:
    """The version to build, from the task's environment."""

    key: str
    etag: str
    sequencer: str
    version: str
    app_id: str
    app: str
    """The app's name."""
    unix_id: int
    token: str

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "BuildJob":
        """Read the job from the environment.

        Raise :class:`SettingMissing` that names the variable.
        """
        try:
            return cls(
                key=environment["SHEEN_BUNDLE_KEY"],
                etag=environment.get("SHEEN_BUNDLE_ETAG", ""),
                sequencer=environment.get("SHEEN_BUNDLE_SEQUENCER", ""),
                version=environment["SHEEN_VERSION"],
                app_id=environment["SHEEN_APP_ID"],
                app=environment.get("SHEEN_APP", ""),
                unix_id=int(environment["SHEEN_UNIX_ID"]),
                token=environment.get("SHEEN_TASK_TOKEN", ""),
            )
        except KeyError as error:
            raise SettingMissing(
                f"environment variable {error.args[0]} is not set; the publish state "
                "machine sets it"
            ) from None

    @property
    def name(self) -> str:
        """The bundle's file name, for messages."""
        return self.key.rsplit("/", 1)[-1]


def build(job: BuildJob, settings: Settings) -> BuildResult:
    """Make the version's folder and keep its bundle; a second run finds them made (FACTS H4).

    Raise :class:`BadBundle`.
    """
    efs = Path(settings.efs)
    version = layout.version(efs, job.app_id, job.version)
    library = layout.library(version)
    _tell(job, settings, "Downloading the bundle.")
    with tempfile.TemporaryDirectory(prefix="sheen-build-") as scratch:
        archive = Path(scratch) / "bundle"
        _download(job, settings.bucket, archive)
        version_folder.sweep(layout.builds(efs))
        incoming = layout.builds(efs) / uuid.uuid4().hex
        incoming.mkdir(parents=True, mode=0o700)
        incoming_library = layout.library(incoming)
        try:
            shape, own, held = _unpack(job, settings, archive, incoming)
            packages = LibraryFolders(efs / layout.PACKAGES, incoming_library, library)
            remarks = _remarks(own.get(layers.APP_FILE, ""))
            has_library = _prepare(job, settings, shape, incoming, packages, held, remarks)
            _tell(job, settings, "Activating.")
            version_folder.protect(incoming, job.unix_id)
            source = kept_key(job.app_id, job.version, job.key)
            clients.client("s3").upload_file(str(archive), settings.bucket, source)
            version_folder.make_app_folder(version.parent, job.unix_id)
            if has_library:
                version_folder.put_in_place(incoming_library, library)
            # This comes last, so that an existing version always has its library.
            version_folder.put_in_place(incoming, version)
        finally:
            discard(incoming)
            discard(incoming_library)
    return {
        "kind": shape.kind.name,
        "entrypoint": shape.entrypoint,
        "source": source,
        "settings": own,
    }


def _unpack(
    job: BuildJob, settings: Settings, archive: Path, target: Path
) -> tuple[Shape, dict[str, Any], AppSettings]:
    """Check everything, then unpack it.

    Return what the bundle is, the settings that it brings, and the settings that will be in force.
    """

    def progress(files: int) -> None:
        if files % PROGRESS_EVERY == 0:
            _tell(job, settings, f"Unpacking: {files:,} of {len(inventory.paths):,} files.")

    opened = read(archive, job.name, BundleLimits(unpacked=settings.largest_bundle))
    _tell(job, settings, "Checking the bundle.")
    inventory = opened.check()
    content = functools.cache(lambda path: opened.content(path, manifest.LARGEST))
    recognition.check_manifest(inventory.paths, job.name, content)
    shape = recognition.shape_of(inventory.paths, job.name, content)
    file = f"{shape.top}/{settings_file.NAME}" if shape.top else settings_file.NAME
    own = (
        settings_file.read(opened.content(file, settings_file.LARGEST), job.name)
        if file in inventory.paths
        else {}
    )
    own |= _app_file(job, shape, inventory.paths, opened)
    held = _held(job, own)
    _tell(job, settings, f"Unpacking {len(inventory.paths):,} files.")
    written = opened.unpack(inventory, target, shape.top, progress)
    _tell(job, settings, f"Unpacked {len(written):,} files.")
    return shape, own, held


def _app_file(
    job: BuildJob, shape: Shape, paths: Collection[str], opened: Archive
) -> dict[str, Any]:
    """Return the text of the bundle's ``.shiny_app.conf``, if it has one, under its name."""
    file = f"{shape.top}/{layers.APP_FILE}" if shape.top else layers.APP_FILE
    if file not in paths:
        return {}
    try:
        text = app_file.decoded(opened.content(file, app_file.LARGEST))
    except BadAppSetting as error:
        raise BadBundle(f"bundle {job.name}: {error}") from None
    return {layers.APP_FILE: text} if text else {}


def _remarks(text: str) -> list[str]:
    """Return what there is to tell the author about a ``.shiny_app.conf``.

    It counts only where ``allow_app_override`` says so. A configuration that comes later may say
    so, and an error in the file is no reason to refuse the bundle.
    """
    try:
        return [str(note) for note in app_file.read(text).notes]
    except BadAppSetting as error:
        return [f"where allow_app_override is on, the app will not start: {error}"]


def _held(job: BuildJob, bundle: Mapping[str, Any]) -> AppSettings:
    """Return the settings in force with those of a bundle.

    Refuse settings that contradict each other or ask for an R that is not available.
    """
    app = built_for(job.key, job.app_id, job.app)
    try:
        held = app.wanted(bundle=bundle).settings
    except BadAppSetting as error:
        raise BadBundle(
            f"bundle {job.name}: {settings_file.NAME} and the app's own settings do not "
            f"go together: {error}"
        ) from None
    try:
        grants.check_names(app.name, held)
        App.ceilings.check(held, bundle.keys() - (app.settings or {}).keys())
    except BadAppSetting as error:
        raise BadBundle(f"bundle {job.name}: {error}") from None
    if held.r_version:
        there = image.look().r_version
        wanted = held.r_version.split(".")
        if there.split(".")[: len(wanted)] != wanted:
            raise BadBundle(
                f"bundle {job.name}: its r_version is {held.r_version}, and the image has "
                f"R {there}; change the setting, or the image"
            )
    return held


def _prepare(
    job: BuildJob,
    settings: Settings,
    shape: Shape,
    app: Path,
    place: LibraryFolders,
    held: AppSettings,
    remarks: Iterable[str],
) -> bool:
    """Make the library of the app's own packages and check the app with it.

    ``remarks`` come first in the log. Return whether there is a library. Raise :class:`BadBundle`.
    """
    key = log_key(job.key)

    def write(text: bytes) -> None:
        clients.client("s3").put_object(
            Bucket=settings.bucket, Key=key, Body=text, ContentType="text/plain; charset=utf-8"
        )

    def failed(error: Exception) -> None:
        logger.warning("the build log was not written", extra={"error": str(error)})

    with BuildLog(write, failed) as log:
        for remark in remarks:
            log.note(remark)
        kind = builds.of(shape.kind)
        library = _restore(
            job,
            kind,
            UnpackedBundle(
                app, place, settings, held, log, lambda what: _tell(job, settings, what)
            ),
        )
        try:
            check(
                app,
                kind,
                shape.entrypoint,
                place.making if library else None,
                place.final,
                held,
                log,
            )
        except BadBundle as error:
            raise BadBundle(f"bundle {job.name}: {error}") from error
    return library


def _restore(job: BuildJob, kind: Build, unpacked: UnpackedBundle) -> bool:
    """Make the library of the app's own packages, if it wants any that the image lacks.

    Raise :class:`BadBundle`.
    """
    try:
        return kind.restore(unpacked)
    except BadBundle as error:
        unpacked.log.say(f"the build failed: {error}")
        bucket = unpacked.deployment.bucket
        raise BadBundle(
            f"bundle {job.name}: {error}\n  The build log: s3://{bucket}/{log_key(job.key)}"
        ) from error


def _download(job: BuildJob, bucket: str, to: Path) -> None:
    """Download exactly the upload that the event was about, not a later one."""
    wanted: dict[str, Any] = {"Bucket": bucket, "Key": job.key}
    if job.etag:
        wanted["IfMatch"] = f'"{job.etag.strip(chr(34))}"'
    try:
        body = clients.client("s3").get_object(**wanted)["Body"]
        with to.open("wb") as file:
            shutil.copyfileobj(body, file, 1 << 20)
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code in ("PreconditionFailed", "412"):
            raise BadBundle(
                f"bundle {job.name}: another upload took its place before it was "
                "unpacked; that one is published"
            ) from error
        # Without the right to list the bucket, S3 does not say that the object is missing.
        if code in ("NoSuchKey", "404", "AccessDenied", "403"):
            raise BadBundle(
                f"bundle {job.name}: it was deleted before it was unpacked; upload it again"
            ) from error
        raise


def _tell(job: BuildJob, settings: Settings, message: str) -> None:
    """Report progress; failures are only logged, because a message must not fail a build."""
    try:
        store.tell(
            settings.bucket, job.key, job.sequencer, BundleStatus.BUILDING, message, wall_clock()
        )
    except Exception as error:
        logger.warning("the author was not told", extra={"what": message, "error": str(error)})


def main(environment: Mapping[str, str] = os.environ) -> int:
    """Build and report; return the exit code, which is 0 if any outcome was reported."""
    settings = Settings.from_environment(environment)
    bind(settings, App, Bundle)
    job = BuildJob.from_environment(environment)
    with token.beating(job.token), logger.append_context_keys(bundle=job.key, version=job.version):
        try:
            built = build(job, settings)
        except BadBundle as error:
            logger.info("bad bundle", extra={"why": str(error)})
            token.fail(job.token, Failure.BAD_BUNDLE, str(error))
        except Exception as error:
            logger.exception("the build failed")
            token.fail(job.token, type(error).__name__, str(error))
            return 1
        else:
            logger.info("built", extra={"kind": built["kind"]})
            token.succeed(job.token, built)
            efs = Path(settings.efs)
            removed = sweep(efs / layout.PACKAGES, efs / layout.APPS)
            if removed:
                logger.info("removed unused packages", extra={"packages": removed})
    return 0


if __name__ == "__main__":
    process.shield()  # a build that is not root installs packages as its own user
    sys.exit(main())
