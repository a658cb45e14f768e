"""The rows of apps and of their versions."""

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from pynamodb.attributes import JSONAttribute, NumberAttribute, UnicodeAttribute

from chalicelib.apps.ceilings import Ceilings
from chalicelib.aws.tables import Table
from chalicelib.configuration import layers
from chalicelib.configuration.deployment import Settings
from chalicelib.configuration.layers import Layer, Resolved


class App(Table):
    """One app, by its location; one conditional write on this row switches the active version."""

    short_name = "apps"
    kept = True

    class Meta:
        table_name = "apps"

    location = UnicodeAttribute(hash_key=True)
    """URL path: ``/``, ``/hello``, ``/team/sales``; only the root ends with a slash."""
    app_id = UnicodeAttribute()
    """Twelve hex digits: the app's folder on EFS, and the first half of its versions' ids."""
    unix_id = NumberAttribute()
    """User and group id of the app's R, which keeps other apps out on EFS (DESIGN rule 5)."""
    active_version = UnicodeAttribute(null=True)
    active_upload = UnicodeAttribute(null=True)
    """The position of the active version's upload in the order of uploads.

    An older upload that is built later never takes its place.
    """
    previous_version = UnicodeAttribute(null=True)
    """The version that was active before. It is kept, and is the default target of a rollback."""
    settings = JSONAttribute(default=dict)
    """The app's own settings, by name; see :mod:`chalicelib.configuration.app_settings`."""
    bundle_settings = JSONAttribute(default=dict)
    """Settings in the active version's bundle (``sheen.toml``)."""
    restarted_at = NumberAttribute(null=True)
    """Workers that began before this take no new sessions.

    An instance that was not told of a restart compares this with the value read at its start.
    """
    archived_at = NumberAttribute(null=True)
    """When the app was archived. An archived app keeps everything, but nobody gets a seat on it."""
    created_at = NumberAttribute()
    updated_at = NumberAttribute()

    ceilings: ClassVar[Ceilings] = Ceilings()
    """The deployment's ceilings for apps' settings."""
    defaults: ClassVar[Layer] = layers.deployment({})
    """What the deployment sets for all apps."""

    @classmethod
    def bound(cls, settings: Settings) -> None:
        """Adopt the deployment's ceilings, and what it sets for all apps."""
        size = settings.largest_size or Ceilings().largest_size
        cls.ceilings = Ceilings(size, settings.most_instances_per_app, settings.longest_idle)
        cls.defaults = layers.deployment(settings.app_defaults)

    def resolved(self, above: Iterable[Layer] = ()) -> Resolved:
        """Return the settings that hold for the app, cut to the ceilings of the deployment.

        ``above`` are the layers between the deployment and the bundle, the farthest first. Raise
        :class:`BadAppSetting`.
        """
        return self.ceilings.held(self.wanted(above))

    def wanted(
        self,
        above: Iterable[Layer] = (),
        *,
        bundle: Mapping[str, Any] | None = None,
        own: Mapping[str, Any] | None = None,
    ) -> Resolved:
        """Return the settings that would hold without ceilings; raise :class:`BadAppSetting`.

        ``bundle`` and ``own`` replace the bundle's and the app's own settings, to see what would
        follow.
        """
        return layers.resolve(
            (
                self.defaults,
                *above,
                layers.bundle(self.bundle_settings or {} if bundle is None else bundle),
                layers.app(self.settings or {} if own is None else own),
            )
        )


class Version(Table):
    """One unpacked bundle, never changed."""

    short_name = "versions"
    kept = True

    class Meta:
        table_name = "versions"

    app_id = UnicodeAttribute(hash_key=True)
    version = UnicodeAttribute(range_key=True)
    """The version's name, which sorts by time: ``20261120T133144Z-3f9a``."""
    bundle = UnicodeAttribute()
    """S3 key of the bundle that the version was made from."""
    kind = UnicodeAttribute()
    """Name of its kind (:mod:`chalicelib.kinds.served`); empty if the upload came to nothing."""
    entrypoint = UnicodeAttribute(null=True)
    """What its process needs to know to start, such as ``app:app``; empty if nothing.

    A row from before kinds had entrypoints has none.
    """
    source = UnicodeAttribute(null=True)
    """S3 key of the copy of its bundle, which is kept as long as the version."""
    settings = JSONAttribute(default=dict)
    """Settings in its bundle (``sheen.toml``)."""
    published_at = NumberAttribute()
    removing_at = NumberAttribute(null=True)
    """Since when its files are being removed; from then on it cannot become active."""
