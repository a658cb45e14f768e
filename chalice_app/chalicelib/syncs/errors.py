"""Errors of syncs."""

from chalicelib.errors import SheenError


class BadSync(SheenError):
    """A sync's definition, or a request for one, breaks a rule."""


class NoSuchSync(SheenError):
    """No sync has that name."""


class BadSchedule(SheenError):
    """An expression is neither ``rate(…)`` nor ``cron(…)`` in EventBridge's syntax."""
