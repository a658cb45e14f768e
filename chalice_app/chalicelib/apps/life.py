"""The life cycle of a published app: restart, archive, restore and delete.

Each is one conditional write on the app's row.
"""

from pynamodb.expressions.condition import Condition
from pynamodb.expressions.update import Action

from chalicelib.apps.errors import NotArchived
from chalicelib.apps.model import App
from chalicelib.apps.store import get


def mark_restarted(location: str, now: float) -> None:
    """Record that workers that began before ``now`` take no new sessions.

    The time of a later restart stays. Raise :class:`NoSuchApp`.
    """
    earlier = App.restarted_at.does_not_exist() | (App.restarted_at < now)
    if not _update(location, [App.restarted_at.set(now)], earlier):
        get(location)


def archive(location: str, now: float) -> App:
    """Archive an app, so that nobody gets a seat on it any more.

    A repeated call changes nothing. Raise :class:`NoSuchApp`.
    """
    _update(
        location,
        [App.archived_at.set(now), App.updated_at.set(now)],
        App.archived_at.does_not_exist(),
    )
    return get(location)


def restore(location: str, now: float) -> App:
    """Take an app out of the archive; it sleeps until a visitor comes. Raise :class:`NoSuchApp`."""
    _update(location, [App.archived_at.remove(), App.updated_at.set(now)], App.archived_at.exists())
    return get(location)


def archived(location: str) -> App:
    """Return an app that may be deleted; raise :class:`NoSuchApp` or :class:`NotArchived`."""
    app = get(location)
    if app.archived_at is None:
        raise NotArchived(
            f"the app at {location} is not archived; only what is archived can be "
            f"deleted: `sheen archive {location}` first"
        )
    return app


def delete(app: App) -> None:
    """Delete the row of an archived app, and so the app.

    Raise :class:`NotArchived` if the row has changed since it was read.
    """
    as_read = (
        (App.app_id == app.app_id) & (App.updated_at == app.updated_at) & App.archived_at.exists()
    )
    if not App(app.location).delete_if(App.location.does_not_exist() | as_read):
        raise NotArchived(
            f"the app at {app.location} was restored or published while it was "
            "deleted; delete it again if it is to go"
        )


def _update(location: str, actions: list[Action], condition: Condition) -> bool:
    return App(location).update_if(App.location.exists() & condition, actions)
