"""Read ``renv.lock`` of any renv since 0.9.

This module is pure.
"""

import json
from collections.abc import Mapping
from typing import Any

from tasks.packages import versions
from tasks.packages.lock import Lock, LockedPackage, Reader

FILE = "renv.lock"
_AGAIN = "write it again with renv::snapshot()"


def read(text: str, file: str = FILE) -> Lock:
    """Return what the lock file wants; raise :class:`BadLock`."""
    reader = Reader(file, _AGAIN)
    try:
        lock = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise reader.bad(f"it is no JSON ({str(error)[:100]})") from None
    lock = reader.mapping(lock, "it")
    r = reader.mapping(lock.get("R") or {}, '"R"')
    packages = reader.mapping(lock.get("Packages") or {}, '"Packages"')
    repositories = _repositories(reader, r.get("Repositories") or [])
    return reader.lock(
        reader.text(r.get("Version"), "", '"Version" of "R"'),
        [_wanted(reader, name, value, repositories) for name, value in packages.items()],
    )


def _repositories(reader: Reader, listed: Any) -> dict[str, str]:
    if not isinstance(listed, list):
        raise reader.bad('"Repositories" must be a list')
    entries = [reader.mapping(entry, "each of the repositories") for entry in listed]
    return {
        reader.text(entry.get("Name"), "", "Name"): reader.text(entry.get("URL"), "", "URL")
        for entry in entries
    }


def _wanted(
    reader: Reader, name: str, value: Any, repositories: Mapping[str, str]
) -> LockedPackage | None:
    package = reader.mapping(value, f'package "{name[:100]}"')

    def field(which: str) -> str:
        return reader.text(package.get(which), name, which)

    def several(which: str) -> str:
        """Return a field that is a list or a text.

        renv 1.1 has both. Older versions have only Requirements, a list.
        """
        held = package.get(which)
        if isinstance(held, list) and all(isinstance(each, str) for each in held):
            return ", ".join(held)
        return field(which)

    def remote() -> str:
        path = "/".join(
            part for part in (field("RemoteUsername"), field("RemoteRepo")) if part
        ) or field("RemoteUrl")
        return f"{field('Source')} ({path}@{field('RemoteSha')[:12]})" if path else field("Source")

    if field("Package") and field("Package") != name:
        raise reader.bad(f'package "{name[:100]}": its Package is "{field("Package")[:100]}"')
    if field("Priority") == "base":
        return None
    repository = field("Repository")
    needs = tuple(
        need
        for which in (*versions.STRONG, "Requirements")
        for need in versions.needs(several(which))
    )
    return reader.wanted(
        name,
        field("Version"),
        field("Source"),
        repositories.get(repository, repository),
        needs,
        remote,
    )
