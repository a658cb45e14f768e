"""What can be wrong with an app."""

from chalicelib.errors import SheenError


class BadLocation(SheenError):
    """A URL path that no app can have."""


class BadAppSetting(SheenError):
    """A setting that there is not, or a value that it cannot have."""
