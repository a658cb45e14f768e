"""Errors of large bodies."""

from chalicelib.errors import Malformed, NotFound


class BadUpload(Malformed):
    """The browser asked for something that an upload may not do. The message is for people."""


class BodyTooLarge(BadUpload):
    """A body is too large. The message says how many bytes it may have."""

    status = 413


class UnknownUpload(NotFound):
    """The upload does not exist, or no longer exists."""


class NoHost(Malformed):
    """The visitor's request does not say to which host it was sent, so no URL can be signed."""
