"""What the tables say about this instance: at its start, and about its app since then."""

import contextlib
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from agent import looking
from agent.looking import Look, NotSeen
from chalicelib import layout
from chalicelib.apps import versions
from chalicelib.apps.model import App, Version
from chalicelib.configuration.above import NOTHING, Above
from chalicelib.configuration.app_settings import AppSettings
from chalicelib.configuration.errors import BadAppSetting
from chalicelib.errors import Broken
from chalicelib.instances import store
from chalicelib.instances.errors import InstanceChanged
from chalicelib.instances.model import Instance, InstanceRef, VersionId
from chalicelib.instances.secret import Purpose, key_for
from chalicelib.instances.state import InstanceState
from chalicelib.kinds import served
from chalicelib.kinds.kind import Kind
from chalicelib.kinds.served import KindOfVersion
from chalicelib.publishing import manifest
from chalicelib.unix_ids import users
from machine.account import Account
from machine.untrusted import Folder


class NothingToServe(Broken):
    """The app, or the version's files, do not exist."""


@dataclass(frozen=True, slots=True)
class InstanceRecord:
    """One instance and its app."""

    ref: InstanceRef
    app: str
    unix_id: int
    settings: AppSettings
    secret: str = field(repr=False)
    directory: Path
    """The version's files; once the app is served, its copy (:mod:`agent.processes.app_copy`)."""
    kind: Kind
    entrypoint: str = ""
    """What the kind's process needs to know to start, such as ``app:app``; empty if nothing."""
    library: Path | None = None
    """Folder of the packages that were restored for the version (``tasks/packages``).

    None if the image's packages are all that it needs.
    """
    restarted_at: float | None = None
    """When the app was last restarted, according to the app's row when the settings were read."""
    account: Account | None = None
    """The user of an app in a folder, which runs there in place; None for a published app."""
    tree: Path | None = None
    """The tree that the folder is in, if that is a folder of this machine."""
    above: Above = NOTHING
    """What a configuration says above the app, according to the instance's row."""
    app_file: str = ""
    """The text of ``.shiny_app.conf`` in the folder of an app in place, also if it does not count.
    """

    def key(self, purpose: Purpose) -> str:
        """Return the instance's key for a purpose."""
        return key_for(self.secret, purpose)

    @property
    def worker_prefix(self) -> str:
        """Start of its workers' ids: ``<version>.<slot>``."""
        return f"{VersionId.parse(self.ref.version_id).version}.{self.ref.slot}"


def renewed(record: InstanceRecord) -> InstanceRecord:
    """Read the app's settings, and the layers above them, again.

    Raise :class:`NothingToServe` or :class:`chalicelib.configuration.errors.BadAppSetting`.
    """
    instance = store.get(record.ref)
    above = _above(instance) if instance is not None else record.above
    app = _app(record.app, VersionId.parse(record.ref.version_id).app_id)
    found = _seen(record.account, record.directory).app_file if record.account is not None else ""
    settings = app.resolved(above.layers, found).settings
    return replace(
        record,
        settings=settings,
        restarted_at=_restarted_at(app),
        above=above,
        app_file=_told(record.ref, found, settings) if record.account is not None else "",
    )


def missed(record: InstanceRecord) -> Literal["restart", "retire"] | None:
    """Return what the app's row asks of this instance that it has not done yet.

    The instance may have been starting, or unreachable, when others were told. Both times of a
    restart come from the row, so no two clocks are compared.
    """
    app_id, version = VersionId.parse(record.ref.version_id)
    try:
        app = _app(record.app, app_id)
    except NothingToServe:
        return "retire"
    if app.active_version != version:
        return "retire"
    return "restart" if _restarted_at(app) != record.restarted_at else None


def load(ref: InstanceRef, efs: Path) -> InstanceRecord:
    """Read the instance's row and its app's.

    Raise :class:`InstanceChanged` if the instance was given up. Raise :class:`NothingToServe` or
    :class:`chalicelib.configuration.errors.BadAppSetting` if its app cannot be served.
    """
    return _of(_row(ref, InstanceState.STARTING), efs)


def load_bound(ref: InstanceRef, efs: Path) -> InstanceRecord:
    """Read the instance to which a spare was bound, as :func:`load` does.

    Its row is READY from the start.
    """
    return _of(_row(ref, InstanceState.READY), efs)


def warm() -> None:
    """Read an app and a version that cannot exist, so that the connections to tables are open."""
    with contextlib.suppress(App.DoesNotExist):
        App.get("-")
    versions.get("-", "-")


def spare_secret(ref: InstanceRef) -> str:
    """Return a spare's secret; raise :class:`InstanceChanged` if the spare was given up."""
    return _row(ref, InstanceState.STARTING).secret


def _row(ref: InstanceRef, state: InstanceState) -> Instance:
    instance = store.get(ref)
    if instance is None or instance.state != state:
        raise InstanceChanged(
            f"instance {ref} is not {state.value}: it was given up, or another one is in its slot"
        )
    return instance


def _of(instance: Instance, efs: Path) -> InstanceRecord:
    ref = instance.ref
    version = VersionId.parse(ref.version_id)
    app = _app(instance.app, version.app_id)
    row = versions.get(*version)
    if row is None:
        raise NothingToServe(
            f"version {version.version} has no row in the table of versions any more; "
            "publish the app again"
        )
    if row.folder is not None:
        return _in_place(instance, app, row.folder, efs)
    directory = layout.version(efs, *version)
    if not directory.is_dir():
        raise NothingToServe(
            f"the files of version {version.version} are not at {directory}; publish the app again"
        )
    kind, entrypoint = _kind(row, directory)
    library = layout.library(directory)
    above = _above(instance)
    return InstanceRecord(
        ref,
        instance.app,
        int(app.unix_id),
        app.resolved(above.layers).settings,
        instance.secret,
        directory,
        kind,
        entrypoint,
        library if library.is_dir() else None,
        _restarted_at(app),
        above=above,
    )


def _above(instance: Instance) -> Above:
    return Above.of_text(instance.above or "", int(instance.above_number or 0))


def _restarted_at(app: App) -> float | None:
    return float(app.restarted_at) if app.restarted_at is not None else None


def _in_place(instance: Instance, app: App, folder: str, efs: Path) -> InstanceRecord:
    """Return the record of an app in a folder.

    Raise :class:`NothingToServe` if its user sees no app there.
    """
    directory, tree = looking.place_of(efs, folder)
    account = _account(app.run_as or "", efs)
    seen = _seen(account, directory)
    if isinstance(seen.kind, str):
        raise NothingToServe(f"the folder {directory} is no app: {seen.kind}")
    above = _above(instance)
    settings = app.resolved(above.layers, seen.app_file).settings
    return InstanceRecord(
        instance.ref,
        instance.app,
        account.unix_id,
        settings,
        instance.secret,
        directory,
        seen.kind.kind,
        seen.kind.entrypoint,
        restarted_at=_restarted_at(app),
        account=account,
        tree=tree,
        above=above,
        app_file=_told(instance.ref, seen.app_file, settings),
    )


def _seen(account: Account, directory: Path) -> Look:
    try:
        return looking.seen_by(account, directory)
    except NotSeen as error:
        raise NothingToServe(f"the app's folder {directory} cannot be read: {error}") from None


def _told(ref: InstanceRef, app_file: str | BadAppSetting, settings: AppSettings) -> str:
    """Write a folder's own directives to the instance's row, if they count; return their text.

    So Lambdas know them.
    """
    text = app_file if isinstance(app_file, str) and settings.allow_app_override else ""
    store.mark_app_file(ref, text, settings.worker_limits.seats)
    return str(app_file)


def _account(name: str, efs: Path) -> Account:
    user = users.find(name)
    if user is None:
        raise NothingToServe(
            f"the user {name} of the app is not known any more; apply the configuration again"
        )
    home = Path(user.home) if user.home is not None else layout.home(efs, name)
    groups = tuple(map(int, user.more_groups))
    return Account(name, int(user.unix_id), int(user.group), groups, home)


def _kind(row: Version, directory: Path) -> KindOfVersion:
    """Return a version's kind and entrypoint, which its build wrote into its row.

    Raise :class:`NothingToServe` if instances do not serve it.
    """
    found = served.of_row(row.kind, row.entrypoint, lambda: _manifest(directory))
    if found is None or not found.kind.has_instance:
        what = found.kind.words if found is not None else f'of the kind "{row.kind}"'
        raise NothingToServe(
            f"version {row.version} is {what}, which instances of this release do not serve; "
            "deploy the release that it was published with, or publish the app again"
        )
    return found


def _manifest(directory: Path) -> bytes | None:
    try:
        with Folder.at(directory) as version:
            return version.read_linked(manifest.FILE, manifest.LARGEST)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise NothingToServe(
            f"the files of version {directory.name} cannot be read: {error}; publish the app again"
        ) from None


def _app(name: str, app_id: str) -> App:
    try:
        app = App.get(name, consistent_read=True)
    except App.DoesNotExist:
        raise NothingToServe(f"there is no app at {name} any more; publish it again") from None
    if app.app_id != app_id:
        raise NothingToServe(f"another app is at {name} now; load the page again")
    return app
