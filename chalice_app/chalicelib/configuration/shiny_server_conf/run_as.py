"""Which user a location's apps run as. Pure."""

from chalicelib.configuration.shiny_server_conf.access import AUTH_USER, HOME_USER
from chalicelib.configuration.shiny_server_conf.model import Location


def user_of(location: Location, folder: str) -> str:
    """Return the user that the app in ``folder`` runs as; empty: there is none.

    The first name of ``run_as`` counts. ``:HOME_USER:`` stands for the user whose folder it is; it
    is no name if the folder is nobody's. ``:AUTH_USER:`` is no name while nobody signs in.
    ``user_apps`` means ``:HOME_USER:``, and what ``run_as`` says farther out does not count.
    """
    home = folder[1:].partition("/")[0] if folder.startswith("~") else ""
    for layer in reversed(location.layers):
        if "run_as" in layer.uses:
            names = layer.uses["run_as"][0].values["users"]
            plain = (home if name == HOME_USER else str(name) for name in names)
            return next((name for name in plain if name and name != AUTH_USER), "")
        if "user_apps" in layer.uses:
            return home
    return ""
