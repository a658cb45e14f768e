"""What is wrong with a setting."""

from chalicelib.errors import SheenError


class BadAppSetting(SheenError):
    """A setting that there is not, or a value that it cannot have."""
