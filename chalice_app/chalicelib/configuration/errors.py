"""Errors of settings."""

from chalicelib.errors import SheenError


class BadAppSetting(SheenError):
    """A setting does not exist, or cannot have this value."""


class BadAccessLogFormat(SheenError):
    """The format of an access log cannot be read."""
