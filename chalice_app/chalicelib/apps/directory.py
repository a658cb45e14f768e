"""Finding the app that owns a path, with a short memory."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from chalicelib.apps import locations, store
from chalicelib.apps.model import App
from chalicelib.configuration.app_settings import AppSettings
from chalicelib.configuration.errors import BadAppSetting
from chalicelib.configuration.layers import Resolved

REMEMBERED = 2.0
"""Seconds for which an app's row is used without being read again.

For so long, a new version or setting may go unnoticed.
"""
_MOST = 1000


class Found(NamedTuple):
    """The app that a path belongs to, and the rest of the path as the app sees it.

    Its settings are resolved once, for all requests that use the app's row.
    """

    app: App
    rest: str
    resolution: Resolved | BadAppSetting
    """The app's settings, or why they cannot be read."""

    @classmethod
    def of(cls, app: App, rest: str = "/") -> "Found":
        """Resolve the app's settings."""
        try:
            return cls(app, rest, app.resolved())
        except BadAppSetting as error:
            return cls(app, rest, error)

    @property
    def settings(self) -> AppSettings:
        """The settings that hold for the app; raise :class:`BadAppSetting`."""
        if isinstance(self.resolution, BadAppSetting):
            raise self.resolution
        return self.resolution.settings

    @property
    def readable_settings(self) -> AppSettings | None:
        """The settings that hold for the app; None if they cannot be read."""
        return self.resolution.settings if isinstance(self.resolution, Resolved) else None


class Directory:
    """The apps by location, as one Lambda environment remembers them.

    An app owns its path from its first version on. Until then, the app above it owns the path. Rows
    are remembered only if an app was found, so a newly published app is found at once.

    Apps that are not ``shown`` are treated as if they did not exist.
    """

    def __init__(
        self, shown: Callable[[App, AppSettings | None], bool] = lambda app, settings: True
    ) -> None:
        """``shown`` takes an app and its settings, or None if these cannot be read."""
        self._shown = shown
        self._rows: dict[str, tuple[float, Found | None]] = {}

    def find(self, path: str, now: float, *, page: bool = True) -> Found | None:
        """Return the app that owns a path; read all prefixes in at most one call.

        If the request is not for a ``page`` and the path ends with a name that has a dot, the name
        is taken for a file below a remembered app, not for a location. Otherwise each of a page's
        files would need a read.
        """
        candidates = locations.prefixes(path)
        needed = (
            candidates[1:] if not page and "." in candidates[0].rpartition("/")[2] else candidates
        )
        remembered = [self._rows.get(location) for location in needed]
        if all(row is not None and now - row[0] < REMEMBERED for row in remembered):
            rows = {
                location: row[1] for location, row in zip(needed, remembered, strict=True) if row
            }
            found = self._resolve(path, rows)
            if found is not None:
                return found
        read = {
            location: Found.of(app)
            for location, app in store.at(candidates).items()
            if app.active_version is not None
        }
        found = self._resolve(path, read)
        if found is None:
            return None
        if len(self._rows) > _MOST:
            self._rows.clear()
        self._rows.update({location: (now, read.get(location)) for location in candidates})
        return found

    def _resolve(self, path: str, rows: Mapping[str, Found | None]) -> Found | None:
        shown = {
            location: found
            for location, found in rows.items()
            if found is not None and self._shown(found.app, found.readable_settings)
        }
        match = locations.resolve(path, shown)
        return shown[match.location]._replace(rest=match.rest) if match is not None else None

    def forget(self) -> None:
        """Forget everything, so that the next look is fresh."""
        self._rows.clear()
