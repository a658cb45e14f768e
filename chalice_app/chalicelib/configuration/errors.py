"""Errors of settings and of configurations."""

from chalicelib.errors import Broken, Malformed, NotFound


class BadAppSetting(Malformed):
    """A setting does not exist, or cannot have this value."""


class BadAccessLogFormat(Malformed):
    """The format of an access log cannot be read."""


class BadConfiguration(Malformed):
    """A ``shiny-server.conf``, or a file that it names, cannot be applied."""


class NoSuchConfiguration(NotFound):
    """No configuration has this id, or there was none before."""


class ConfigurationLost(Broken):
    """The configuration that holds cannot be read."""
