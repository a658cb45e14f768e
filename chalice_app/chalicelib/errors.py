"""The root of Sheen's errors.

::

    SheenError
    ├── SettingMissing
    ├── apps.errors        (AppNotFound, BadLocation, BadAppSetting, …)
    ├── bodies.errors      (BadUpload, …)
    ├── bundles.errors     (BadBundle, …)
    ├── instances.errors   (InstanceChanged, …)
    ├── scheduler.errors   (NoSeat, …)
    ├── tickets.errors     (BadTicket)
    └── relay.errors       (ProtocolError, …)

The message of each names the thing, the rule that it broke and the way out.
"""


class SheenError(Exception):
    """Something that Sheen itself says no to; its message is for people."""


class SettingMissing(SheenError):
    """The deployment did not say something that this part cannot work without."""
