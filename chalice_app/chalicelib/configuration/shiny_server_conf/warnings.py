"""Warns of what a file says that its writer may not mean. Pure."""

import re
from collections.abc import Iterator

from chalicelib.configuration.shiny_server_conf.access import ANYBODY, HOME_USER
from chalicelib.configuration.shiny_server_conf.directives.sign_in import AUTHENTICATORS
from chalicelib.configuration.shiny_server_conf.directives.table import DIRECTIVES
from chalicelib.configuration.shiny_server_conf.findings import Finding, Position
from chalicelib.configuration.shiny_server_conf.model import Configuration
from chalicelib.configuration.shiny_server_conf.reachability import warn_of_unreachable
from chalicelib.configuration.shiny_server_conf.scopes import Scope
from chalicelib.configuration.shiny_server_conf.spelling import TYPOGRAPHIC_QUOTES, quoted
from chalicelib.configuration.shiny_server_conf.use import Use
from chalicelib.configuration.shiny_server_conf.use_warnings import warn_of_use

_VARIABLE = re.compile(r"\$[A-Z_][A-Z0-9_]*")


def warn(top: Scope, configuration: Configuration | None) -> Iterator[Finding]:
    """Yield the warnings about a file; what its order means only if it has no errors."""
    yield from _scope(top)
    yield from _users(top)
    yield from _sign_in(top)
    if configuration is not None:
        for site in configuration.sites:
            if not site.locations:
                yield Finding(site.position, "this server has no location: each path is not found")
            yield from warn_of_unreachable(site)


def _scope(scope: Scope) -> Iterator[Finding]:
    if scope.use is not None:
        yield from _words(scope.use)
        yield from warn_of_use(scope.use, scope)
    for uses in scope.uses.values():
        for use in uses:
            yield from _words(use)
            yield from warn_of_use(use, scope)
        first = uses[0]
        if first.directive.first_wins:
            for use in uses[1:]:
                yield Finding(
                    use.position,
                    f"this {use.name} is ignored: the one on line {first.position.line} is first",
                )
    for child in scope.children:
        yield from _scope(child)


def _words(use: Use) -> Iterator[Finding]:
    """Warn of arguments that look like mistakes of typing."""
    for token in use.arguments:
        if any(quote in token.text for quote in TYPOGRAPHIC_QUOTES):
            yield Finding(
                token.position,
                f"{quoted(token.text)} has typographic quotes, which become a part of the value;"
                " write \" or '",
            )
        if _VARIABLE.search(token.text):
            yield Finding(
                token.position,
                f"{quoted(token.text)} looks like a variable, but the file has none; it is taken"
                " as it is",
            )
        if use.valid and token.starts_line and not token.quoted and token.text in DIRECTIVES:
            yield Finding(
                token.position,
                f"{quoted(token.text)} is read as an argument of {use.name} on line"
                f" {use.position.line}; is a ; missing before it?",
            )
    for child in use.children if use.name not in ("server", "location") else ():
        yield from _words(child)


def _users(top: Scope) -> Iterator[Finding]:
    """Warn of a ``run_as`` that leaves apps without a user in Shiny Server."""
    without: dict[Position, list[str]] = {}
    for scope in _scopes(top):
        model, run_as = scope.model(), scope.find("run_as")
        if model is None or run_as is None or model[1].name not in ("site_dir", "app_dir"):
            continue
        users = run_as.values["users"]
        if users and all(user == HOME_USER for user in users):
            without.setdefault(run_as.position, []).append(scope.path or "/")
    for position, paths in without.items():
        others = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
        yield Finding(
            position,
            f"{HOME_USER} means something in user_dirs only, so Shiny Server answers 500 for each"
            f" app below {paths[0]}{others}; name a user, too",
        )


def _sign_in(top: Scope) -> Iterator[Finding]:
    authenticators = [use for name in AUTHENTICATORS if (use := top.own(name)) is not None]
    for use in authenticators[1:]:
        yield Finding(
            use.position,
            f"{use.name} is a second way to sign in beside {authenticators[0].name} on line"
            f" {authenticators[0].position.line}; keep one",
        )
    asking = [use for scope in _scopes(top) for use in _asking(scope)]
    if authenticators and not asking:
        yield Finding(
            authenticators[0].position,
            f"{authenticators[0].name} protects nothing: no app has required_user or"
            " required_group",
        )
    if asking and not authenticators:
        yield Finding(
            asking[0].position,
            f"{asking[0].name} asks for a login, but nothing says who signs in, as in"
            " auth_passwd_file",
        )
    yield from _group_lists(top)


def _scopes(scope: Scope) -> Iterator[Scope]:
    yield scope
    for child in scope.children:
        yield from _scopes(child)


def _asking(scope: Scope) -> Iterator[Use]:
    for name in ("required_user", "required_group"):
        use = scope.own(name)
        if use is not None and ANYBODY not in use.values.get("users", ()):
            yield use


def _group_lists(top: Scope) -> Iterator[Finding]:
    """Warn of lists of groups that no group passes."""
    left: set[str] | None = None
    for use in top.uses.get("group_list", ()):
        if not use.valid:
            continue
        patterns = set(use.values["patterns"])
        if use.values["mode"] == "include":
            left = patterns if left is None else left & patterns
        elif use.values["mode"] == "exclude" and left is not None:
            left -= patterns
        if left is not None and not left:
            yield Finding(use.position, "no group passes all group_list up to this one")
            return
