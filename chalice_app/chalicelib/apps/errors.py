"""Errors of apps."""

from chalicelib.errors import Broken, Busy, Conflict, Malformed, NotFound


class BadLocation(Malformed):
    """The URL path cannot be the location of an app."""


class BadFolder(Malformed):
    """The path cannot be the folder of an app."""


class BadHost(Malformed):
    """The text is not the name of a host."""


class BadRedirect(Malformed):
    """A redirect cannot lead there, or not with this status."""


class LocationTaken(Conflict):
    """The location leads to something else."""


class NoSuchLocation(NotFound):
    """The location leads nowhere."""


class LastLocation(Conflict):
    """An app keeps at least one location on the default site."""


class TooManyLocations(Conflict):
    """The app, or the deployment, has as many locations as are allowed."""


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


class FolderTooLarge(Broken):
    """A folder of a tree has more entries than can be listed for each visitor."""


class FileChanged(Busy):
    """A file of a tree changed while it was sent."""


class NoUser(Broken):
    """An app in a folder has no user to run as."""
