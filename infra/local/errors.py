"""The local stack's own errors.

::

    LocalStackError (a SheenError)
    ├── CannotStart      (the terminal's message: what is in the way, and what to do)
    ├── CannotGoOn       (a part of it has ended)
    └── AwsError         (an answer that AWS would give; see infra.local.aws_errors)
"""

from chalicelib.errors import Broken


class LocalStackError(Broken):
    """Something that the local stack refuses."""


class CannotStart(LocalStackError):
    """The stack cannot start; the message says what to do."""


class CannotGoOn(LocalStackError):
    """A part of the stack has ended unexpectedly; the message says where to look."""
