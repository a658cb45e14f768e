"""What can go wrong with an instance."""

from chalicelib.errors import SheenError


class InstanceChanged(SheenError):
    """The instance is not, or no longer, in the state that a step needs: it stopped, or another one is in its slot."""
