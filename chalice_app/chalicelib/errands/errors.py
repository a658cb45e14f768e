"""Errors of errands."""

from chalicelib.errors import Broken, Malformed


class BadErrand(Malformed):
    """An errand cannot be asked for: its kind, payload or time limit breaks a rule."""


class ErrandFailed(Broken):
    """An errand was not done.

    A doer raises it with a message for people, which the asker gets. The message must hold no
    secret: it is kept and logged.
    """
