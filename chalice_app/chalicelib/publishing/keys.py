"""S3 keys of bundles and of their outcomes, and the names of versions. Pure.

``bundles/<location>/<name>.zip`` or ``.tar.gz`` publishes at ``/<location>``, and
``bundles/<name>.zip`` at ``/``. The outcome is in ``outcomes/<location>/<name>.zip.json``, and the
output of installing packages in ``outcomes/<location>/<name>.zip.log``. A version keeps its own
copy of its bundle as ``versions/<app_id>/<version>/<name>.zip``, because uploads may be overwritten
and expire after a while.
"""

import hashlib
import re
from datetime import UTC, datetime
from typing import NamedTuple, Self

from chalicelib.apps.errors import BadLocation
from chalicelib.apps.locations import check
from chalicelib.publishing.errors import BadBundle

PREFIX = "bundles/"
OUTCOMES = "outcomes/"
KEPT = "versions/"
ENDINGS = (".zip", ".tar.gz", ".tgz")

_LONGEST_NAME = 100
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}\Z")
_AGAIN = re.compile(r"\A(again-[0-9]{8}T[0-9]{6}Z-)+")
_SEQUENCER_DIGITS = 32


class BundleKey(NamedTuple):
    """The parts of an upload's key."""

    location: str
    name: str

    @classmethod
    def parse(cls, key: str) -> Self:
        """Read a key; raise :class:`BadBundle` that says what is wrong with it."""
        folder, _, name = key.removeprefix(PREFIX).rpartition("/")
        if not key.startswith(PREFIX) or not name:
            raise BadBundle(
                f'"{key}" is not the key of a bundle; upload to "{PREFIX}<location>/<name>.zip"'
            )
        if not name.endswith(ENDINGS):
            raise BadBundle(
                f"bundle {name}: the name ends neither in .zip nor in .tar.gz; upload one of these"
            )
        if not _NAME.match(name):
            raise BadBundle(
                f"bundle {name}: the name may have letters, digits and . _ - (at most "
                "100), as in hello-2.tar.gz"
            )
        try:
            parsed = cls(check("/" + folder), name)
        except BadLocation as error:
            raise BadBundle(f"bundle {name}: {error}") from error
        if parsed.key != key:
            raise BadBundle(
                f'bundle {name}: the key "{key}" has empty folders in it; upload to "{parsed.key}"'
            )
        return parsed

    @classmethod
    def of(cls, location: str, name: str) -> Self:
        """Return the key that publishes ``name`` at ``location``.

        Raise :class:`BadBundle` or :class:`BadLocation`.
        """
        return cls.parse(cls(check(location), name).key)

    @property
    def key(self) -> str:
        """The S3 key of the upload."""
        return f"{PREFIX}{self.location.strip('/')}/{self.name}".replace("//", "/")

    @property
    def outcome_key(self) -> str:
        """The S3 key of the upload's outcome."""
        return outcome_key(self.key)


def outcome_key(key: str) -> str:
    """Return the S3 key of an upload's outcome, even if the upload's own key is not allowed."""
    return f"{OUTCOMES}{key.removeprefix(PREFIX)}.json"


def log_key(key: str) -> str:
    """Return the S3 key of an upload's build log, beside its outcome."""
    return f"{OUTCOMES}{key.removeprefix(PREFIX)}.log"


def kept_key(app_id: str, version: str, key: str) -> str:
    """Return the S3 key of a version's own copy of the bundle that was uploaded as ``key``."""
    return f"{KEPT}{app_id}/{version}/{original_name(key)}"


def original_name(key: str) -> str:
    """Return the author's name for a file, whether it was uploaded or published again."""
    return _AGAIN.sub("", key.rsplit("/", 1)[-1])


def again_key(location: str, name: str, time: str) -> str:
    """Return the S3 key that publishes a kept bundle again; ``time`` as in :func:`upload_order`."""
    again = f"again-{_compact(time)}-"
    return BundleKey.of(location, again + name[-(_LONGEST_NAME - len(again)) :]).key


def upload_order(time: str, sequencer: str) -> str:
    """Return a text that sorts uploads by time, and then by S3's sequencer (FACTS E7).

    ``time`` is the event's (``2026-11-20T13:31:44Z``). ``sequencer`` consists of hex digits, which
    S3 counts up for one key; it decides between uploads in the same second.
    """
    return f"{_compact(time)}/{padded(sequencer)}"


def padded(sequencer: str) -> str:
    """Return a sequencer padded on the right, as S3 says, so that all compare as text."""
    return sequencer.upper().ljust(_SEQUENCER_DIGITS, "0")


def version_name(time: str, key: str, sequencer: str) -> str:
    """Return the name of an upload's version: sorts by time, and is the same for each event."""
    return f"{_compact(time)}-{hashlib.sha256(f'{key} {sequencer}'.encode()).hexdigest()[:8]}"


def _compact(time: str) -> str:
    moment = datetime.fromisoformat(time.replace("Z", "+00:00"))
    return moment.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
