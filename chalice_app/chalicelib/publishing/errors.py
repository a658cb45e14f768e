"""Errors of bundles."""

from chalicelib.errors import Malformed


class BadBundle(Malformed):
    """The upload cannot become a version; the message is for its author."""
