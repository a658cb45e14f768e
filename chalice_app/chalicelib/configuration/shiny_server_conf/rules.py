"""Checks what several directives say together. Pure."""

from collections.abc import Iterator

from chalicelib.configuration import run_as
from chalicelib.configuration.access_log import Format
from chalicelib.configuration.errors import BadAccessLogFormat
from chalicelib.configuration.shiny_server_conf.directives.schema import Scope as Place
from chalicelib.configuration.shiny_server_conf.findings import Finding
from chalicelib.configuration.shiny_server_conf.scopes import LONGEST_PATH, MODELS, Scope
from chalicelib.configuration.shiny_server_conf.use import Use

SHORTEST_LOGIN = 10
"""Least minutes of ``auth_duration``."""


def check_rules(top: Scope) -> Iterator[Finding]:
    """Yield the errors of a file beyond those of single directives.

    What a wrong directive says is not relied on.
    """
    yield from _sign_in(top)
    yield from _frames(top)
    yield from _users(top)
    yield from _access_logs(top)
    keys: dict[tuple[int, str, str], Use] = {}
    for server in top.children:
        if server.place is not Place.SERVER:
            continue
        yield from _listen(server, keys)
        for location in server.locations():
            yield from _location(location)


def _listen(server: Scope, keys: dict[tuple[int, str, str], Use]) -> Iterator[Finding]:
    listen = server.own("listen")
    if listen is None:
        yield Finding(server.position, "this server lacks listen, as in listen 3838;")
        return
    if not listen.valid:
        return
    names = server.own("server_name")
    host = "::" if listen.values["host"] == "*" else listen.values["host"]
    for name in dict.fromkeys(names.values["names"] if names is not None else ()) or ("",):
        first = keys.setdefault((listen.values["port"], host, name.lower()), listen)
        if first is not listen:
            yield Finding(
                listen.position,
                f"the server on line {first.position.line} already has this port, host and name;"
                " give one of them another server_name or merge them",
            )


def _location(location: Scope) -> Iterator[Finding]:
    if location.too_long:
        yield Finding(
            location.position,
            f"the location's whole path has more than {LONGEST_PATH} characters; shorten it",
        )
    removed = location.own("application")
    if removed is not None:
        yield Finding(
            removed.position, "application was removed in Shiny Server 0.4.2; write location"
        )
    own = [use for name in MODELS if (use := location.own(name)) is not None]
    for use in own:
        if use.name in ("user_dirs", "user_apps") and use.values["enabled"] is False:
            yield Finding(use.position, f"{use.name} off is no longer usable; delete the directive")
    model = location.model()
    if model is None:
        if not location.children:
            yield Finding(
                location.position,
                f"{location.title} leads nowhere: it has none of {', '.join(MODELS)}",
            )
        return
    declared, use = model
    if use.name == "app_dir" and declared is not location:
        yield Finding(
            location.position,
            f"{location.title} would inherit app_dir of line {use.position.line}, which is not"
            " possible; give it a hosting model of its own",
        )
    elif use.name in ("app_dir", "site_dir"):
        yield from _lacking(location)


def _lacking(location: Scope) -> Iterator[Finding]:
    users = location.find("run_as")
    if users is None or not users.arguments:
        yield Finding(
            location.position,
            f"{location.title} has no run_as; add run_as <user>; at the top of the file",
        )
    if location.find("log_dir") is None:
        yield Finding(
            location.position,
            f"{location.title} has no log_dir; add log_dir /var/log/shiny-server;",
        )


def _users(scope: Scope) -> Iterator[Finding]:
    """Yield each name that would give apps what they may not have."""
    use = scope.own("run_as")
    if use is not None and use.valid:
        for name in use.values["users"]:
            if name in run_as.FORBIDDEN:
                yield Finding(use.position, f"run_as {name}: {run_as.why_refused(name)}")
    for child in scope.children:
        yield from _users(child)


def _access_logs(top: Scope) -> Iterator[Finding]:
    for use in top.uses.get("access_log", ()):
        if use.valid:
            try:
                Format.parse(use.values["format"])
            except BadAccessLogFormat as error:
                yield Finding(use.position, str(error))


def _sign_in(top: Scope) -> Iterator[Finding]:
    duration = top.own("auth_duration")
    if duration is not None and duration.valid and duration.values["minutes"] < SHORTEST_LOGIN:
        yield Finding(
            duration.position,
            f"auth_duration is {duration.values['minutes']:g} minutes; it must be at least"
            f" {SHORTEST_LOGIN}",
        )
    for name in ("auth_ldap", "auth_active_dir"):
        use = top.own(name)
        children = {child.name: child for child in use.children} if use is not None else {}
        if name == "auth_ldap" and "base_bind" in children and "user_filter" not in children:
            yield Finding(
                children["base_bind"].position,
                "base_bind searches for the user, so auth_ldap needs user_filter, too",
            )


def _frames(scope: Scope) -> Iterator[Finding]:
    options = scope.own("frame_options")
    if options is not None and " " in (options.values["url"] or ""):
        yield Finding(options.position, "the URL of frame_options cannot have blanks")
    for child in scope.children:
        yield from _frames(child)
