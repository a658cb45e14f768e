"""What an app may be given: secrets, a role, and synced folders.

Authors write these settings into bundles, so no setting may reach what is meant for another app.
The name of a secret or a role says which app it is for: the part before the last slash is the app's
name, which is where it was first published and stays when the app moves. ``team/sales/db`` is for
the app ``/team/sales``. ``shared/db`` is for every app, and ``team/shared/db`` for the app
``/team`` and those whose names continue it, such as ``/team/sales``.
"""

from chalicelib.apps.locations import ROOT
from chalicelib.configuration.app_settings import AppSettings
from chalicelib.configuration.errors import BadAppSetting
from chalicelib.syncs import access

SHARED = "shared"
"""Folder whose names are for all apps at and below the folder that contains it."""


def check(location: str, settings: AppSettings) -> None:
    """Raise :class:`BadAppSetting` if an app's settings ask for what it may not have."""
    check_names(location, settings)
    access.check_app(location, settings.data)


def check_names(location: str, settings: AppSettings) -> None:
    """Check the names of an app's secrets and of its role; raise :class:`BadAppSetting`. Pure."""
    for variable, name in settings.secrets.items():
        check_secret(location, variable, name)
    check_role(location, settings.role)


def check_secret(location: str, variable: str, name: str) -> None:
    """Raise :class:`BadAppSetting` if the secret is not for the app at the location. Pure."""
    if not is_for(name, location):
        raise BadAppSetting(
            f'setting secrets: the secret "{name}" (for {variable}) is not for the app at '
            f"{location}. {_names_for(location)}: "
            "make the secret under such a name, or take it back (`sheen configure "
            f"{location} secrets.{variable}=`)"
        )


def check_role(location: str, name: str) -> None:
    """Raise :class:`BadAppSetting` if the role is not for the app at the location. Pure.

    An empty name is for every app.
    """
    if name and not is_for(name, location):
        raise BadAppSetting(
            f'setting role: the role "{name}" is not for the app at {location}. '
            f"{_names_for(location)}: "
            f"make the role under such a name, or take it back (`sheen configure {location} role=`)"
        )


def is_for(name: str, location: str) -> bool:
    """Return whether a secret or role with this name is for the app at a location. Pure.

    >>> [is_for("team/sales/db", at) for at in ("/team/sales", "/team", "/team/sales/2026")]
    [True, False, False]
    >>> [is_for("team/shared/db", at) for at in ("/team", "/team/sales", "/teams")]
    [True, True, False]
    """
    folder = "/" + name.rpartition("/")[0]
    if folder == location:
        return True
    above, _, last = folder.rpartition("/")
    return last == SHARED and (location == above or location.startswith(f"{above}/"))


def _names_for(location: str) -> str:
    own = "NAME" if location == ROOT else f"{location[1:]}/NAME"
    return f"It may have {own} and {SHARED}/NAME"
