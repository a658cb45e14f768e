"""What can be wrong with an app."""

from chalicelib.errors import SheenError


class BadLocation(SheenError):
    """A URL path that no app can have."""


class NotArchived(SheenError):
    """Only what is archived can be deleted."""


class NoSuchApp(SheenError):
    """Nothing is published there."""


class NoSuchVersion(SheenError):
    """The app has no version of that name, or it is about to be removed."""


class BadChange(SheenError):
    """What asks for a change of an app's settings is not of the form that it has."""


class TooBusy(SheenError):
    """Others change the same app at the same time, again and again."""
