"""Apps that run in place, in the folders of a configuration.

Such an app has a row like others, by a name that says its folder and its user. The row is made at
the first visit. No location leads to it: the configuration does.
"""

import re
import secrets

from chalicelib import layout
from chalicelib.apps.errors import BadFolder, TooBusy
from chalicelib.apps.model import App, Version
from chalicelib.aws.tables import Together
from chalicelib.unix_ids import users

VERSION = "in-place"
"""The name of the one version of such an app."""
LONGEST = 1024
"""Most bytes in the path of a folder."""
_ATTEMPTS = 5
_PART = re.compile(r"/(\.{0,2})(?=/|\Z)")


def name_of(folder: str, run_as: str) -> str:
    """Return the name of the app in a folder, which is its row's key.

    No published app has it, because their names begin with a slash. The same folder with another
    user is another app.

    >>> name_of("/srv/shiny-server/hello", "shiny")
    'shiny:/srv/shiny-server/hello'
    """
    return f"{run_as}:{folder}"


def check(folder: str) -> None:
    """Raise :class:`BadFolder` if a path cannot be the folder of an app.

    It is absolute, or begins with ``~user/``; no part of it is empty, ``.`` or ``..``.
    """
    rest = folder if folder.startswith("/") else f"/{folder}"
    if (
        not folder.startswith(("/", "~"))
        or len(folder.encode("utf-8", "surrogateescape")) > LONGEST
        or not folder.isprintable()
        or _PART.search(rest)
    ):
        raise BadFolder(
            f"folder {folder[:200]!r} cannot hold an app: its path must be absolute, without empty "
            f"parts, . and .., of printable characters, and have at most {LONGEST} bytes"
        )


def app_of(folder: str, run_as: str, now: float, kind: str = "", entrypoint: str = "") -> App:
    """Return the app in a folder; at the first visit, make its row and its version's in one write.

    ``folder`` is absolute, or begins with ``~user/``. ``kind`` and ``entrypoint`` are what its
    files' names said at that visit; an instance looks again when it starts.

    If several visitors come at once, all get the same app. Raise :class:`BadFolder`,
    :class:`chalicelib.unix_ids.users.BadRunAs` or :class:`TooBusy`.
    """
    check(folder)
    name = name_of(folder, run_as)
    for _ in range(_ATTEMPTS):
        try:
            return App.get(name, consistent_read=True)
        except App.DoesNotExist:
            pass
        made = App(
            name,
            app_id=secrets.token_hex(6),
            unix_id=int(users.of(run_as, now).unix_id),
            run_as=run_as,
            locations=[],
            left=[],
            active_version=VERSION,
            settings={},
            created_at=now,
            updated_at=now,
        )
        version = Version(
            made.app_id,
            VERSION,
            bundle="",
            kind=kind,
            entrypoint=entrypoint,
            folder=layout.tree(folder),
            settings={},
            published_at=now,
        )
        together = Together()
        together.save(made, condition=App.name.does_not_exist())
        together.save(version, condition=Version.app_id.does_not_exist())
        if together.write_if():
            return made
    raise TooBusy(f"others make the app in {folder} at the same time; try again")
