"""The rows of apps and of their versions."""

from typing import ClassVar

from pynamodb.attributes import JSONAttribute, NumberAttribute, UnicodeAttribute

from chalicelib.apps.ceilings import Ceilings
from chalicelib.aws.tables import Table
from chalicelib.configuration.app_settings import AppSettings
from chalicelib.configuration.deployment import Settings


class App(Table):
    """One app, by its location. The active version switches in one conditional write on this row."""

    short_name = "apps"
    kept = True

    class Meta:
        table_name = "apps"

    location = UnicodeAttribute(hash_key=True)
    """URL path: ``/``, ``/hello``, ``/team/sales``; no slash at the end but for the root."""
    app_id = UnicodeAttribute()
    """Twelve hex digits; the app's folder on EFS, and the first half of its versions' ids."""
    unix_id = NumberAttribute()
    """User and group id that this app's R runs with, its own: EFS keeps other apps out by it (DESIGN rule 5)."""
    active_version = UnicodeAttribute(null=True)
    active_upload = UnicodeAttribute(null=True)
    """Where the active version's upload stands in the order of uploads, so that an older one that is built later never takes its place."""
    previous_version = UnicodeAttribute(null=True)
    """What was active before; it is kept, and what is gone back to when nobody says to which."""
    settings = JSONAttribute(default=dict)
    """Settings that were given to the app itself, by directive name; see :mod:`chalicelib.configuration.app_settings`."""
    bundle_settings = JSONAttribute(default=dict)
    """Settings that the active version's bundle brought along (``sheen.toml``)."""
    restarted_at = NumberAttribute(null=True)
    """Workers that began before this take no new sessions. An instance that was not told compares it with what it read at its start."""
    archived_at = NumberAttribute(null=True)
    """Since when the app is archived: it has everything, and nobody gets a seat of it."""
    created_at = NumberAttribute()
    updated_at = NumberAttribute()

    ceilings: ClassVar[Ceilings] = Ceilings()
    """What the deployment allows apps at most."""

    @classmethod
    def bound(cls, settings: Settings) -> None:
        """Take over the deployment's ceilings."""
        size = settings.largest_size or Ceilings().largest_size
        cls.ceilings = Ceilings(size, settings.most_instances_per_app, settings.longest_idle)

    def effective_settings(self) -> AppSettings:
        """Return the settings that hold: the app's own, else the bundle's, else the defaults, none beyond a ceiling of the deployment.

        Raise :class:`BadAppSetting`.
        """
        return self.ceilings.cut(self.wanted_settings())

    def wanted_settings(self) -> AppSettings:
        """Return the settings that would hold without ceilings; raise :class:`BadAppSetting`."""
        return AppSettings.effective(self.bundle_settings or {}, self.settings or {})


class Version(Table):
    """One unpacked bundle, never changed."""

    short_name = "versions"
    kept = True

    class Meta:
        table_name = "versions"

    app_id = UnicodeAttribute(hash_key=True)
    version = UnicodeAttribute(range_key=True)
    """Sorts by time: ``20261120T133144Z-3f9a``."""
    bundle = UnicodeAttribute()
    """S3 key of the bundle that it was made from."""
    kind = UnicodeAttribute()
    """What it is, see :mod:`chalicelib.kinds.recognition`: ``app.R`` or ``server.R``."""
    source = UnicodeAttribute(null=True)
    """S3 key of the copy of its bundle that is kept as long as the version is."""
    settings = JSONAttribute(default=dict)
    """Settings that its bundle brought along (``sheen.toml``)."""
    published_at = NumberAttribute()
    removing_at = NumberAttribute(null=True)
    """Since when its files are being removed; it cannot be active any more."""
