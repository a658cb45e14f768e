"""Whether a location asks for a login. Pure.

Sheen does not sign visitors in by this file, so a location that asks for a login is closed. In
doubt it is closed, too.
"""

from chalicelib.configuration.shiny_server_conf.scopes import Scope

ANYBODY = "**"
"""In ``required_user``: everybody, also without a login."""
HOME_USER, AUTH_USER = ":HOME_USER:", ":AUTH_USER:"
SPECIAL_USERS = (HOME_USER, AUTH_USER)


def why_closed(location: Scope) -> str:
    """Return why a location is closed to everybody; empty: it is open."""
    users, groups = location.find("required_user"), location.find("required_group")
    if groups is not None:
        return f"required_group on line {groups.position.line} asks for a login"
    if users is not None and ANYBODY not in users.values["users"]:
        return f"required_user on line {users.position.line} asks for a login"
    run_as = location.find("run_as")
    if run_as is not None and AUTH_USER in run_as.values["users"] and not _others(location):
        return f"run_as {AUTH_USER} on line {run_as.position.line} asks for a login"
    return ""


def _others(location: Scope) -> bool:
    """Return whether ``run_as`` names a user who is there without a login."""
    run_as, model = location.find("run_as"), location.model()
    if run_as is None:
        return False
    home = model is not None and model[1].name in ("user_dirs", "user_apps")
    return any(
        name not in SPECIAL_USERS or (name == HOME_USER and home) for name in run_as.values["users"]
    )
