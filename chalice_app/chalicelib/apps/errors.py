"""Errors of apps."""

from chalicelib.errors import SheenError


class BadLocation(SheenError):
    """The URL path cannot be the location of an app."""


class BadHost(SheenError):
    """The text is not the name of a host."""


class BadRedirect(SheenError):
    """A redirect cannot lead there, or not with this status."""


class LocationTaken(SheenError):
    """The location leads to something else."""


class NoSuchLocation(SheenError):
    """The location leads nowhere."""


class LastLocation(SheenError):
    """An app keeps at least one location on the default site."""


class TooManyLocations(SheenError):
    """The app, or the deployment, has as many locations as are allowed."""


class NotArchived(SheenError):
    """The app cannot be deleted, because it is not archived."""


class NoSuchApp(SheenError):
    """No app is published at the location."""


class NoSuchVersion(SheenError):
    """The app has no version with this name, or the version is being removed."""


class BadChange(SheenError):
    """A request to change an app's settings is malformed."""


class TooBusy(SheenError):
    """Other callers repeatedly changed the app at the same time."""
