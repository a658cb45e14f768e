"""Errors of syncs."""

from chalicelib.errors import Malformed, NotFound


class BadSync(Malformed):
    """A sync's definition, or a request for one, breaks a rule."""


class NoSuchSync(NotFound):
    """No sync has that name."""
