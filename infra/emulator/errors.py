"""The emulator's own errors.

::

    EmulatorError
    ├── CannotStart      (the terminal's message: what is in the way, and what to do)
    ├── CannotGoOn       (a part of it has ended)
    └── AwsError         (an answer that AWS would give; see infra.emulator.aws_errors)
"""


class EmulatorError(Exception):
    """Something that the emulator refuses."""


class CannotStart(EmulatorError):
    """The emulator, or what runs on it, cannot start; the message says what to do."""


class CannotGoOn(EmulatorError):
    """A part of the emulator has ended unexpectedly; the message says where to look."""
