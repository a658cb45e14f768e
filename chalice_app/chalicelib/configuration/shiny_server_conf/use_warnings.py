"""Warns of what one directive says that its writer may not mean. Pure."""

from collections.abc import Callable, Iterator
from ipaddress import ip_address

from chalicelib.configuration.app_rules import PROTOCOLS
from chalicelib.configuration.shiny_server_conf.access import SPECIAL_USERS
from chalicelib.configuration.shiny_server_conf.findings import Finding
from chalicelib.configuration.shiny_server_conf.scopes import Scope
from chalicelib.configuration.shiny_server_conf.spelling import quoted
from chalicelib.configuration.shiny_server_conf.translation import translate
from chalicelib.configuration.shiny_server_conf.use import Use

_NOT_OFFERED = {"eventsource", "htmlfile"}
"""Protocols that pages do not use outside an iframe."""


def warn_of_use(use: Use, scope: Scope) -> Iterator[Finding]:
    """Yield the warnings about a directive in its scope."""
    warnings = _WARNINGS.get(use.name)
    if warnings is not None and use.valid:
        for text in warnings(use, scope):
            yield Finding(use.position, text)


def _run_as(use: Use, scope: Scope) -> Iterator[str]:
    plain = [name for name in use.values["users"] if name not in SPECIAL_USERS]
    for name in plain:
        meant = f":{name.strip(':')}:".upper()
        if name == "root":
            yield "run_as root: Shiny Server refuses to run an app as root"
        elif name.startswith(":") or name.endswith(":") or meant in SPECIAL_USERS:
            hint = f"; did you mean {meant}?" if meant in SPECIAL_USERS else ""
            yield f"{quoted(name)} is taken for the name of a user{hint}"
    if len(plain) > 1:
        yield f"run_as uses only the first of its plain names, {quoted(plain[0])}"


def _listen(use: Use, scope: Scope) -> Iterator[str]:
    host = use.values["host"]
    if host != "*" and ip_address(host).is_loopback:
        yield (
            f"listen {host} lets in only this machine, as behind a proxy; here the site is as"
            " public as the deployment"
        )


def _server_name(use: Use, scope: Scope) -> Iterator[str]:
    for name in use.values["names"]:
        if any(char in name for char in "*~^$"):
            yield f"{quoted(name)} is no pattern: only a host of literally this name matches"


def _location(use: Use, scope: Scope) -> Iterator[str]:
    path = use.values["path"]
    if not path.isascii() or " " in path:
        yield (
            f"{quoted(path)} never matches, because paths are compared as browsers send them:"
            " percent-encoded"
        )
    if any(char in path for char in "*^?#"):
        yield f"{quoted(path)} is no pattern: it is compared literally"


def _members_of(use: Use, scope: Scope) -> Iterator[str]:
    model = scope.model()
    if model is not None and model[1].name not in ("user_dirs", "user_apps"):
        yield f"members_of restricts only user_dirs; {model[1].name} stays open to everybody"


def _directory_index(use: Use, scope: Scope) -> Iterator[str]:
    if scope.own("app_dir") is not None:
        yield "directory_index means nothing beside app_dir"


def _redirect(use: Use, scope: Scope) -> Iterator[str]:
    if not 300 <= use.values["statusCode"] <= 399:
        yield f"status {use.values['statusCode']} is no redirect to a browser"


def _frame_options(use: Use, scope: Scope) -> Iterator[str]:
    if use.values["value"] == "allow-from" and not use.values["url"]:
        yield "frame_options allow-from lacks a URL"


def _disable_protocols(use: Use, scope: Scope) -> Iterator[str]:
    translation = translate(use)
    if translation is not None and set(PROTOCOLS) - _NOT_OFFERED <= set(translation.value or ()):
        yield "disable_protocols leaves no protocol, so no app works"


def _required_group(use: Use, scope: Scope) -> Iterator[str]:
    if scope.find("required_user") is not None:
        yield (
            "required_user and required_group both hold here; Shiny Server's guide does not say"
            " how they combine"
        )


def _simple_scheduler(use: Use, scope: Scope) -> Iterator[str]:
    other = scope.own("utilization_scheduler")
    if other is not None:
        line = other.position.line
        yield f"simple_scheduler is ignored beside utilization_scheduler on line {line}"


def _ssl(use: Use, scope: Scope) -> Iterator[str]:
    for child in use.children:
        if child.name == "ssl_min_version" and child.values["version"] in ("tlsv1", "tlsv11"):
            yield f"ssl_min_version {child.values['version']} is refused by today's browsers"


_WARNINGS: dict[str, Callable[[Use, Scope], Iterator[str]]] = {
    "run_as": _run_as,
    "listen": _listen,
    "server_name": _server_name,
    "location": _location,
    "members_of": _members_of,
    "directory_index": _directory_index,
    "redirect": _redirect,
    "frame_options": _frame_options,
    "disable_protocols": _disable_protocols,
    "required_group": _required_group,
    "simple_scheduler": _simple_scheduler,
    "ssl": _ssl,
}
