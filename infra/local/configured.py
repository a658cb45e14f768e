"""What a ``shiny-server.conf`` makes of this machine: users, trees and ports.

What it says of sites and settings the deployment itself follows, as on AWS.
"""

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from chalicelib import layout
from chalicelib.configuration.shiny_server_conf.access import SPECIAL_USERS
from chalicelib.configuration.shiny_server_conf.directives.schema import Scope
from chalicelib.configuration.shiny_server_conf.findings import Finding
from chalicelib.configuration.shiny_server_conf.model import (
    AppDir,
    Configuration,
    Location,
    Site,
    SiteDir,
    UserDirs,
)
from chalicelib.configuration.shiny_server_conf.use import Use
from chalicelib.unix_ids.model import UnixUser
from infra.declared import Place
from infra.emulator.endpoint.listeners import EVERY_ADDRESS, EndpointListener, Tls
from infra.emulator.errors import CannotStart
from infra.emulator.moto.client import Moto
from infra.emulator.s3.folders import ShownFolder
from infra.emulator.s3.shown import Shown
from infra.local import users
from infra.local.settings import LocalSettings
from infra.local.users import MachineUser

PREFIX = "site/"
"""Where trees are in the bucket."""
OF_USERS = "ShinyApps"


@dataclass(frozen=True, slots=True)
class Tree:
    """A folder that the file names."""

    name: str
    """As the file has it, or ``~<user>/ShinyApps``; without a slash at its end."""
    folder: Path
    reader: MachineUser
    """The user with whose rights its files are sent to visitors."""


@dataclass(frozen=True, slots=True)
class ConfiguredMachine:
    """Users, trees and ports of one configuration."""

    users: tuple[MachineUser, ...]
    trees: tuple[Tree, ...]
    listeners: tuple[EndpointListener, ...]

    def shown(self, bucket: str) -> list[Shown]:
        """Return the trees as objects of a bucket."""
        return [
            Shown(
                bucket,
                f"{PREFIX}{tree.name.strip('/')}/",
                ShownFolder(tree.folder, tree.reader.reader),
            )
            for tree in self.trees
        ]


def owners(settings: LocalSettings) -> set[int]:
    """Return the numbers of the users that own Sheen's own files."""
    return {path.stat().st_uid for path in (settings.tree, settings.data) if path.exists()}


def find(
    configuration: Configuration, own: set[int]
) -> tuple[ConfiguredMachine | None, list[Finding]]:
    """Return what a configuration wants of this machine, or what keeps it from getting that."""
    errors: list[Finding] = []
    named: dict[str, MachineUser] = {}
    for use in _run_as(configuration):
        for name in use.values["users"]:
            if name in SPECIAL_USERS or name in named:
                continue
            found = users.find(name, own)
            if isinstance(found, str):
                errors.append(Finding(use.position, f"run_as {name}: {found}"))
            else:
                named[name] = found
    homes = users.everybody(own) if _has_homes(configuration) else {}
    trees = list(_trees(configuration, named, homes))
    listeners = _listeners(configuration, errors)
    if errors:
        return None, sorted(set(errors), key=lambda error: error.position)
    return ConfiguredMachine(tuple((homes | named).values()), tuple(trees), tuple(listeners)), []


def link(efs: Path, machine: ConfiguredMachine) -> None:
    """Let instances find the trees on the shared file system, by links to this machine's folders.

    An instance follows the links of root only, and what is behind them with the rights of the app's
    user. Raise :class:`CannotStart`.
    """
    wanted = {efs / layout.tree(tree.name): tree.folder for tree in machine.trees}
    top = efs / layout.TREES
    top.mkdir(mode=0o755, exist_ok=True)
    try:
        for folder, _names, files in os.walk(top, topdown=False):
            for path in (Path(folder) / name for name in (*files, *_names)):
                if path.is_symlink() and wanted.get(path) != path.readlink():
                    path.unlink()
            with contextlib.suppress(OSError):  # something is in it
                if Path(folder) != top:
                    Path(folder).rmdir()
        for path, folder_of_tree in sorted(wanted.items()):
            if any(above in wanted for above in path.parents):
                continue  # it is in a tree already
            path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
            if not path.is_symlink():
                path.symlink_to(folder_of_tree)
    except OSError as error:
        raise CannotStart(f"trees cannot be linked in {top}: {error}") from None


async def write_users(moto: Moto, place: Place, machine: ConfiguredMachine) -> None:
    """Write the rows of this machine's users, and remove those of users that are gone."""
    table = place.name(UnixUser.short_name)
    known = await moto.call("dynamodb", "Scan", {"TableName": table})
    there = {user.name for user in machine.users}
    for item in known["Items"]:
        if "home" in item and item["name"]["S"] not in there:
            key = {"name": item["name"]}
            await moto.call("dynamodb", "DeleteItem", {"TableName": table, "Key": key})
    for user in machine.users:
        row = UnixUser(
            user.name,
            unix_id=user.unix_id,
            group=user.group,
            more_groups=list(user.more_groups),
            group_names=list(user.group_names),
            home=user.home,
        )
        await moto.call("dynamodb", "PutItem", {"TableName": table, "Item": row.serialize()})


def _locations(configuration: Configuration) -> Iterator[tuple[Site, Location]]:
    for site in configuration.sites:
        for location in site.locations:
            yield site, location


def _run_as(configuration: Configuration) -> Iterator[Use]:
    for _, location in _locations(configuration):
        if isinstance(location.target, SiteDir | AppDir | UserDirs):
            use = location.find("run_as")
            if use is not None:
                yield use


def _has_homes(configuration: Configuration) -> bool:
    return any(isinstance(location.target, UserDirs) for _, location in _locations(configuration))


def _trees(
    configuration: Configuration, named: dict[str, MachineUser], homes: dict[str, MachineUser]
) -> Iterator[Tree]:
    seen: set[str] = set()
    for _, location in _locations(configuration):
        target = location.target
        if isinstance(target, SiteDir | AppDir):
            folder = target.root if isinstance(target, SiteDir) else target.path
            use = location.find("run_as")
            names = use.values["users"] if use is not None else ()
            reader = next((named[name] for name in names if name in named), None)
            name = os.path.normpath(folder)
            if reader is not None and name not in seen:
                seen.add(name)
                yield Tree(name, Path(name), reader)
    for user in homes.values():
        if user.home.startswith("/"):
            yield Tree(f"~{user.name}/{OF_USERS}", Path(user.home) / OF_USERS, user)


def _listeners(configuration: Configuration, errors: list[Finding]) -> list[EndpointListener]:
    found: dict[tuple[int, str], tuple[Site, Tls | None]] = {}
    for site in configuration.sites:
        address = EVERY_ADDRESS if site.host in (EVERY_ADDRESS, "::") else site.host
        tls = _tls(site)
        if tls is not None:
            try:
                tls.context()
            except CannotStart as error:
                errors.append(Finding(site.position, str(error)))
        first = found.setdefault((site.port, address), (site, tls))
        if first[1] != tls:
            errors.append(
                Finding(
                    site.position,
                    f"the server on line {first[0].position.line} has the same port {site.port} "
                    "with another ssl; give both the same key and certificate",
                )
            )
    return [
        EndpointListener(port, address, tls)
        for (port, address), (_, tls) in found.items()
        # All addresses contain each single one.
        if address == EVERY_ADDRESS or (port, EVERY_ADDRESS) not in found
    ]


def _tls(site: Site) -> Tls | None:
    for location in site.locations:
        for layer in location.layers:
            if layer.place is Scope.SERVER and "ssl" in layer.uses:
                use = layer.uses["ssl"][0]
                minimum = next(
                    (child.values["version"] for child in use.children if child.valid), "tlsv12"
                )
                return Tls(
                    Path(use.values["key_path"]), Path(use.values["cert_path"]), str(minimum)
                )
    return None
