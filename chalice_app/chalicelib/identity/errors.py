"""Errors of identity."""

from chalicelib.errors import Busy, Conflict, Malformed, NotFound


class BadUser(Malformed):
    """A user's name, role, group or password breaks a rule."""


class BadHash(Malformed):
    """A password's hash cannot be read, or asks for more memory than is allowed."""


class NoSuchUser(NotFound):
    """No user has this name."""


class UserExists(Conflict):
    """A user with this name exists."""


class UserChanged(Busy):
    """Others change the user all the time."""
