"""What can be wrong with an app's packages. All of it is the bundle's to put right, so all of it is a bad bundle."""

from chalicelib.publishing.errors import BadBundle


class BadLock(BadBundle):
    """The lock file cannot be read, or wants what cannot be."""


class NotAvailable(BadBundle):
    """Packages that are wanted are in no repository that this deployment uses."""


class NotInstalled(BadBundle):
    """``R CMD INSTALL`` refused a package."""
