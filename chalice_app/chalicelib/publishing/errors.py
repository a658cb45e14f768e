"""Errors of bundles."""

from chalicelib.errors import SheenError


class BadBundle(SheenError):
    """The upload cannot become a version; the message is for its author."""
