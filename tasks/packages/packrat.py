"""Read ``packrat.lock``.

This module is pure.
"""

from tasks.packages import dcf, versions
from tasks.packages.lock import Lock, LockedPackage, Reader

FILES = ("packrat/packrat.lock", "packrat.lock")
_AGAIN = "write it again with packrat::snapshot()"


def read(text: str, file: str = FILES[0]) -> Lock:
    """Return what the lock file wants; raise :class:`BadLock`."""
    reader = Reader(file, _AGAIN)
    head, *rest = list(dcf.records(text)) or [{}]
    if "PackratFormat" not in head:
        raise reader.bad("it does not begin with PackratFormat")
    repositories = dict(
        entry.strip().split("=", 1)
        for entry in head.get("Repos", "").replace("\n", " ").split(",")
        if "=" in entry
    )
    return reader.lock(
        head.get("RVersion", ""), [_wanted(reader, package, repositories) for package in rest]
    )


def _wanted(
    reader: Reader, package: dict[str, str], repositories: dict[str, str]
) -> LockedPackage | None:
    name, source = package.get("Package", ""), package.get("Source", "")

    def remote() -> str:
        path = "/".join(
            part for part in (package.get("GithubUsername"), package.get("GithubRepo")) if part
        )
        commit = package.get("GithubSha1", "")[:12]
        return f"GitHub ({path}@{commit})" if path else source

    return reader.wanted(
        name,
        package.get("Version", ""),
        source,
        repositories.get(source, ""),
        versions.needs(package.get("Requires", "")),
        remote,
    )
