"""The rows of apps, of their versions, and of the locations that lead to them."""

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Self

from pynamodb.attributes import (
    BooleanAttribute,
    JSONAttribute,
    NumberAttribute,
    UnicodeAttribute,
)

from chalicelib.apps.ceilings import Ceilings
from chalicelib.apps.sites import (
    EVERY_HOST,
    AppTarget,
    Location,
    Places,
    RedirectTarget,
    Target,
)
from chalicelib.aws.tables import Table
from chalicelib.configuration import layers
from chalicelib.configuration.deployment import Settings
from chalicelib.configuration.errors import BadAppSetting
from chalicelib.configuration.layers import Layer, Resolved

SITE = "*"
"""In place of a path: the row of a site. It says that the host has a site of its own."""


class App(Table):
    """One app, by its name; one conditional write on this row switches the active version."""

    short_name = "apps"
    kept = True

    class Meta:
        table_name = "apps"

    name = UnicodeAttribute(hash_key=True, attr_name="location")
    """The URL path under which it was first published; it stays when the app moves.

    If an app that has moved away has this name, a number follows: ``/hello~2``.
    """
    locations = JSONAttribute(null=True)
    """The locations that lead to the app, as texts; the first is the main one.

    None if the row was written before locations had rows of their own: then the app is at its name
    (:func:`chalicelib.apps.store.carry_over`).
    """
    left = JSONAttribute(null=True)
    """The locations that the app has moved away from, as texts."""
    app_id = UnicodeAttribute()
    """Twelve hex digits: the app's folder on EFS, and the first half of its versions' ids."""
    unix_id = NumberAttribute()
    """User and group id of the app's R, which keeps other apps out on EFS (DESIGN rule 5)."""
    run_as = UnicodeAttribute(null=True)
    """The user of an app in a folder (:mod:`chalicelib.apps.folders`); None for other apps."""
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
    """Settings in the active version's bundle (``sheen.toml``), and its ``.shiny_app.conf``.

    See :func:`chalicelib.configuration.layers.split`.
    """
    restarted_at = NumberAttribute(null=True)
    """Workers that began before this take no new sessions.

    An instance that was not told of a restart compares this with the value read at its start.
    """
    archived_at = NumberAttribute(null=True)
    """When the app was archived. An archived app keeps everything, but nobody gets a seat on it."""
    created_at = NumberAttribute()
    updated_at = NumberAttribute()

    @property
    def places(self) -> Places:
        """The locations that lead to the app."""
        here = tuple(map(Location.parse, self.locations or ()))
        left = tuple(map(Location.parse, self.left or ()))
        return Places(here or (Location(EVERY_HOST, self.name),), left)

    @property
    def location(self) -> str:
        """The path of its main location, for lists, messages and commands."""
        return self.places.main.path

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

    def resolved(self, above: Iterable[Layer] = (), app_file: str | BadAppSetting = "") -> Resolved:
        """Return the settings that hold for the app, cut to the ceilings of the deployment.

        ``above`` are the layers between the deployment and the bundle, the farthest first.
        ``app_file`` is the text of ``.shiny_app.conf`` in the folder of an app that runs in place,
        or why that cannot be read. Raise :class:`BadAppSetting`.
        """
        return self.ceilings.held(self.wanted(above, app_file=app_file))

    def wanted(
        self,
        above: Iterable[Layer] = (),
        *,
        bundle: Mapping[str, Any] | None = None,
        own: Mapping[str, Any] | None = None,
        app_file: str | BadAppSetting = "",
    ) -> Resolved:
        """Return the settings that would hold without ceilings; raise :class:`BadAppSetting`.

        ``bundle`` and ``own`` replace the bundle's and the app's own settings, to see what would
        follow.
        """
        came = self.bundle_settings or {} if bundle is None else bundle
        from_bundle, text = layers.split(came)
        farther = [self.defaults, *above]
        if (app_file or text) and layers.resolve(farther).settings.allow_app_override:
            if isinstance(app_file, BadAppSetting):
                raise app_file
            # Imported here, since few apps have the file.
            from chalicelib.configuration.shiny_server_conf.app_file import read

            farther.append(read(app_file or text).layer)
        return layers.resolve(
            (
                *farther,
                layers.bundle(from_bundle),
                layers.app(self.settings or {} if own is None else own),
            )
        )


class LocationRow(Table):
    """One location and its target; or, with the path :data:`SITE`, a host's site itself."""

    short_name = "locations"
    kept = True

    class Meta:
        table_name = "locations"

    site = UnicodeAttribute(hash_key=True)
    path = UnicodeAttribute(range_key=True)
    app = UnicodeAttribute(null=True)
    """The name of the app that it leads to."""
    moved = BooleanAttribute(null=True)
    """Whether that app has moved away; see :class:`chalicelib.apps.sites.AppTarget`."""
    url = UnicodeAttribute(null=True)
    """The URL of a redirect; then it has a status, and may be exact."""
    status = NumberAttribute(null=True)
    exact = BooleanAttribute(null=True)
    held = NumberAttribute(null=True)
    """Of a site: the number of its locations. The row goes with the last of them."""

    @property
    def location(self) -> Location:
        """The location that the row is of."""
        return Location(self.site, self.path)

    @property
    def target(self) -> Target | None:
        """What the location leads to; None for a site's own row."""
        if self.app is not None:
            return AppTarget(self.app, bool(self.moved))
        if self.url is not None:
            return RedirectTarget(self.url, int(self.status or 302), bool(self.exact))
        return None

    @classmethod
    def of(cls, location: Location, target: Target) -> Self:
        """Return the row that makes a location lead to a target."""
        match target:
            case AppTarget(name, moved):
                return cls(*location, app=name, moved=moved or None)
            case RedirectTarget(url, status, exact):
                return cls(*location, url=url, status=status, exact=exact)


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
    folder = UnicodeAttribute(null=True)
    """Of an app in a folder: where that is, below the root of the file system. It runs there, in
    place, and its files may change.
    """
    source = UnicodeAttribute(null=True)
    """S3 key of the copy of its bundle, which is kept as long as the version."""
    settings = JSONAttribute(default=dict)
    """Settings in its bundle (``sheen.toml``)."""
    published_at = NumberAttribute()
    removing_at = NumberAttribute(null=True)
    """Since when its files are being removed; from then on it cannot become active."""
