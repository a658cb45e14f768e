"""Errors of large bodies."""

from chalicelib.errors import SheenError


class BadUpload(SheenError):
    """The browser asked for something that an upload may not do. The message is for people."""


class TooLarge(BadUpload):
    """A body is too large. The message says how many bytes it may have."""


class UnknownUpload(SheenError):
    """The upload does not exist, or no longer exists."""
