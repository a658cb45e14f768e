"""Errors of instances."""

from chalicelib.errors import Conflict


class InstanceChanged(Conflict):
    """The instance is not in the state that a step needs.

    It has stopped or moved on, or another instance is in its slot.
    """
