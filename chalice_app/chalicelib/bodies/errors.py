"""What can be wrong with a large body."""

from chalicelib.errors import SheenError


class BadUpload(SheenError):
    """The browser asked for what an upload may not do; its message is for people."""


class TooLarge(BadUpload):
    """A body has more bytes than are taken; the message says how many may be."""


class UnknownUpload(SheenError):
    """There is no such upload (any more)."""
