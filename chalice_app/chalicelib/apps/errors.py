"""Errors of apps."""

from chalicelib.errors import Busy, Conflict, Malformed, NotFound


class BadLocation(Malformed):
    """The URL path cannot be the location of an app."""


class NotArchived(Conflict):
    """The app cannot be deleted, because it is not archived."""


class NoSuchApp(NotFound):
    """No app is published at the location."""


class NoSuchVersion(NotFound):
    """The app has no version with this name, or the version is being removed."""


class BadChange(Malformed):
    """A request to change an app's settings is malformed."""


class TooBusy(Busy):
    """Other callers repeatedly changed the app at the same time."""
