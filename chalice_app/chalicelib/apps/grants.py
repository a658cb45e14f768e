"""What an app may be given: secrets, a role, and syncs' folders.

Authors write these settings into bundles, so none of them may reach what is meant for another app. A secret's or a role's name says
for which app it is: the part before the last slash is the app's location. ``team/sales/db`` is for the app at ``/team/sales``.
``shared/db`` is for every app, ``team/shared/db`` for the apps at ``/team`` and below.
"""

from chalicelib.apps.locations import ROOT
from chalicelib.configuration.app_settings import AppSettings
from chalicelib.configuration.errors import BadAppSetting
from chalicelib.syncs import access

SHARED = "shared"
"""The folder of names that are for all apps at and below the folder that it is in."""


def check(location: str, settings: AppSettings) -> None:
    """Raise :class:`BadAppSetting` when the app at a location may not have what its settings ask for."""
    check_names(location, settings)
    access.check_app(location, settings.data)


def check_names(location: str, settings: AppSettings) -> None:
    """Check the names of an app's secrets and of its role; raise :class:`BadAppSetting`. Pure."""
    for variable, name in settings.secrets.items():
        check_secret(location, variable, name)
    check_role(location, settings.role)


def check_secret(location: str, variable: str, name: str) -> None:
    """Raise :class:`BadAppSetting` when a secret of this name is not for the app at a location. Pure."""
    if not is_for(name, location):
        raise BadAppSetting(
            f'setting secrets: the secret "{name}" (for {variable}) is not for the app at {location}. {_names_for(location)}: '
            f"make the secret under such a name, or take it back (`sheen configure {location} secrets.{variable}=`)"
        )


def check_role(location: str, name: str) -> None:
    """Raise :class:`BadAppSetting` when a role of this name is not for the app at a location; no name is for every app. Pure."""
    if name and not is_for(name, location):
        raise BadAppSetting(
            f'setting role: the role "{name}" is not for the app at {location}. {_names_for(location)}: '
            f"make the role under such a name, or take it back (`sheen configure {location} role=`)"
        )


def is_for(name: str, location: str) -> bool:
    """Say whether a secret or role of this name is for the app at a location. Pure.

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
