"""Errors of errands."""

from chalicelib.errors import SheenError


class BadErrand(SheenError):
    """An errand cannot be asked for: its kind, payload or time limit breaks a rule."""


class ErrandFailed(SheenError):
    """An errand was not done.

    A doer raises it with a message for people, which the asker gets. The message must hold no
    secret: it is kept and logged.
    """
