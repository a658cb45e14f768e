"""Errors in an app's packages.

The author of the bundle can correct all of them, so all of them are bad bundles.
"""

from chalicelib.publishing.errors import BadBundle


class BadLock(BadBundle):
    """The lock file cannot be read, or asks for something impossible."""


class NotAvailable(BadBundle):
    """Wanted packages are in none of the deployment's repositories."""


class NotInstalled(BadBundle):
    """A package could not be installed."""
