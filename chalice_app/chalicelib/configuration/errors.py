"""Errors of settings."""

from chalicelib.errors import Malformed


class BadAppSetting(Malformed):
    """A setting does not exist, or cannot have this value."""


class BadAccessLogFormat(Malformed):
    """The format of an access log cannot be read."""
