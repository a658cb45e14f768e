"""The life cycle of a published app: restart, archive, restore and delete.

Each is one conditional write on the app's row.
"""

from pynamodb.expressions.condition import Condition
from pynamodb.expressions.update import Action

from chalicelib.apps.errors import NoSuchApp, NotArchived
from chalicelib.apps.location_writes import LocationWrite, row_at
from chalicelib.apps.model import App
from chalicelib.apps.store import get


def mark_restarted(name: str, now: float) -> None:
    """Record that workers that began before ``now`` take no new sessions.

    The time of a later restart stays. Raise :class:`NoSuchApp`.
    """
    earlier = App.restarted_at.does_not_exist() | (App.restarted_at < now)
    if not _update(name, [App.restarted_at.set(now)], earlier):
        get(name)


def archive(name: str, now: float) -> App:
    """Archive an app, so that nobody gets a seat on it any more.

    A repeated call changes nothing. Raise :class:`NoSuchApp`.
    """
    _update(
        name,
        [App.archived_at.set(now), App.updated_at.set(now)],
        App.archived_at.does_not_exist(),
    )
    return get(name)


def restore(name: str, now: float) -> App:
    """Take an app out of the archive; it sleeps until a visitor comes. Raise :class:`NoSuchApp`."""
    _update(name, [App.archived_at.remove(), App.updated_at.set(now)], App.archived_at.exists())
    return get(name)


def archived(name: str) -> App:
    """Return an app that may be deleted; raise :class:`NoSuchApp` or :class:`NotArchived`."""
    app = get(name)
    if app.archived_at is None:
        raise NotArchived(
            f"the app at {app.location} is not archived; only what is archived can be "
            f"deleted: `sheen archive {app.location}` first"
        )
    return app


def delete(app: App) -> None:
    """Delete the row of an archived app and those of its locations, and so the app.

    Raise :class:`NotArchived` if the row has changed since it was read.
    """
    as_read = (
        (App.app_id == app.app_id) & (App.updated_at == app.updated_at) & App.archived_at.exists()
    )
    write = LocationWrite()
    write.delete_app(app, as_read)
    for location in (*app.places.here, *app.places.left):
        row = row_at(location)
        if row is not None and row.app == app.name:
            write.free(row)
    if not write.commit() and _is_there(app):
        raise NotArchived(
            f"the app at {app.location} was restored, published or moved while it was deleted; "
            "delete it again if it is to go"
        )


def _is_there(app: App) -> bool:
    try:
        return get(app.name).app_id == app.app_id
    except NoSuchApp:
        return False


def _update(name: str, actions: list[Action], condition: Condition) -> bool:
    return App(name).update_if(App.name.exists() & condition, actions)
