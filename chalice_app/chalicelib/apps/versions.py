"""An app's versions: recorded once, active one at a time, removed when nothing needs them.

One write switches the active version (DESIGN rule 1). It also checks that the version is not being
removed.
"""

from collections.abc import Mapping
from typing import Any

from pynamodb.expressions.condition import Condition
from pynamodb.expressions.update import Action

from chalicelib.apps import grants, store
from chalicelib.apps.errors import NoSuchVersion, TooBusy
from chalicelib.apps.model import App, Version
from chalicelib.aws.tables import Together

_ATTEMPTS = 5


def of(app_id: str) -> list[Version]:
    """Read an app's versions, consistently, newest first."""
    return list(Version.query(app_id, consistent_read=True, scan_index_forward=False))


def get(app_id: str, version: str) -> Version | None:
    """Read one version, consistently; None if it has no row."""
    try:
        return Version.get(app_id, version, consistent_read=True)
    except Version.DoesNotExist:
        return None


def add(
    app_id: str,
    version: str,
    *,
    bundle: str,
    kind: str,
    entrypoint: str | None = None,
    source: str,
    settings: Mapping[str, Any],
    now: float,
) -> None:
    """Record a built version; a repeated call changes nothing (FACTS H4)."""
    row = Version(
        app_id,
        version,
        bundle=bundle,
        kind=kind,
        entrypoint=entrypoint,
        source=source,
        settings=dict(settings),
        published_at=now,
    )
    row.save_if(Version.app_id.does_not_exist())


def add_removed(app_id: str, version: str, bundle: str, source: str, now: float) -> None:
    """Record a version that came to nothing as one that is being removed, unless it is recorded.

    It never becomes active. What a build may have left of it is removed like old versions
    (:mod:`chalicelib.publishing.retention`).
    """
    row = Version(
        app_id,
        version,
        bundle=bundle,
        kind="",
        source=source,
        settings={},
        published_at=now,
        removing_at=now,
    )
    row.save_if(Version.app_id.does_not_exist())


def activate(name: str, version: str, order: str, now: float) -> bool:
    """Make a version and its bundle's settings the active ones, unless a later upload was faster.

    ``order`` orders uploads: :func:`chalicelib.publishing.keys.upload_order`. Return False if a
    later upload was activated first. Return True also if this one was activated before (a repeat,
    FACTS H4); a rollback since then stays in effect. Raise :class:`NoSuchApp`,
    :class:`NoSuchVersion` if the version is being removed, or :class:`BadAppSetting` if the app's
    own settings conflict with the bundle's or ask for what the app may not have
    (:mod:`chalicelib.apps.grants`). Raise :class:`TooBusy` if others keep changing the app.
    """
    for _ in range(_ATTEMPTS):
        app = store.get(name)
        if app.active_upload is not None and app.active_upload >= order:
            return app.active_upload == order
        if _switch(app, version, now, App.active_upload.set(order)):
            return True
    raise TooBusy(f"others change the app at {name} all the time; try again")


def roll_back(name: str, version: str | None, now: float) -> App:
    """Make another version the active one, by default the one that was active before.

    Return the app as it is then. The order of uploads is unchanged: an upload that is being built
    now becomes active when it is done. Raise :class:`NoSuchApp`, :class:`NoSuchVersion`,
    :class:`BadAppSetting` or :class:`TooBusy`.
    """
    for _ in range(_ATTEMPTS):
        app = store.get(name)
        wanted = version or app.previous_version
        if wanted is None:
            raise NoSuchVersion(
                f"{app.location} has no version before {app.active_version or 'its first'}; "
                f"`sheen versions {app.location}` lists them"
            )
        if wanted == app.active_version or _switch(app, wanted, now):
            return app
    raise TooBusy(f"others change the app at {name} all the time; try again")


def _switch(app: App, version: str, now: float, *more: Action) -> bool:
    """Switch in one write; return False if the app has changed since it was read."""
    row = next(
        iter(Version.query(app.app_id, Version.version == version, consistent_read=True)), None
    )
    if row is None or row.removing_at is not None:
        what = "is being removed" if row else "is none of its versions"
        raise NoSuchVersion(
            f"{version} {what}; `sheen versions {app.location}` lists those of {app.location}"
        )
    settings = dict(row.settings or {})
    grants.check(app.name, app.wanted(bundle=settings).settings)
    actions: list[Action] = [
        App.active_version.set(version),
        App.bundle_settings.set(settings),
        App.updated_at.set(now),
        *more,
    ]
    if app.active_version is not None and app.active_version != version:
        actions.append(App.previous_version.set(app.active_version))
    together = Together()
    together.update(app, actions, _as_read(app))
    together.condition_check(
        Version,
        app.app_id,
        version,
        Version.version.exists() & Version.removing_at.does_not_exist(),
    )
    if not together.write_if():
        return False
    app.refresh(consistent_read=True)
    return True


def _as_read(app: App) -> Condition:
    condition: Condition = (App.app_id == app.app_id) & (App.settings == app.settings)
    for attribute, value in (
        (App.active_version, app.active_version),
        (App.active_upload, app.active_upload),
    ):
        condition &= attribute == value if value is not None else attribute.does_not_exist()
    return condition
