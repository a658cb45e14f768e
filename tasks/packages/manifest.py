"""Read ``manifest.json``, as rsconnect and rsconnect-python write it.

In R, ``rsconnect::writeManifest`` and rsconnect's bundler write it. This module is pure.
"""

from typing import Any

from chalicelib.publishing import manifest
from tasks.packages import versions
from tasks.packages.lock import Lock, LockedPackage, Reader

FILE = manifest.FILE
_AGAIN = "write it again with rsconnect::writeManifest()"


def read(text: str, file: str = FILE) -> Lock | None:
    """Return the packages that the manifest wants, or None if it is not rsconnect's.

    A manifest without packages (of an app in Python, or of one that needs none) wants none. Raise
    :class:`BadLock`.
    """
    reader = Reader(file, _AGAIN)
    said = manifest.parse(text)
    if said is None:
        return None
    packages = reader.mapping(said.get("packages") or {}, '"packages"')
    platform = reader.text(said.get("platform"), "", '"platform"')
    return reader.lock(platform, [_wanted(reader, name, value) for name, value in packages.items()])


def _wanted(reader: Reader, name: str, value: Any) -> LockedPackage | None:
    package = reader.mapping(value, f'package "{name[:100]}"')
    description = reader.mapping(
        package.get("description") or {}, f'package "{name[:100]}": its description'
    )

    def field(which: str) -> str:
        return reader.text(description.get(which), name, which)

    def remote() -> str:
        host = {"github": "GitHub", "gitlab": "GitLab", "bitbucket": "Bitbucket"}.get(
            source.lower(), source
        )
        path = "/".join(
            part
            for part in (
                field("RemoteUsername") or field("GithubUsername"),
                field("RemoteRepo") or field("GithubRepo"),
            )
            if part
        )
        commit = field("RemoteSha") or field("GithubSHA1")
        return f"{host} ({path}@{commit[:12]})" if path else host

    source = reader.text(package.get("Source"), name, "Source")
    if not description:
        raise reader.bad(f'package "{name[:100]}": it has no description')
    if field("Package") and field("Package") != name:
        raise reader.bad(
            f'package "{name[:100]}": its description is that of "{field("Package")[:100]}"'
        )
    if field("Priority") == "base":
        return None
    repository = reader.text(package.get("Repository"), name, "Repository")
    needs = versions.strong_needs({which: field(which) for which in versions.STRONG})
    return reader.wanted(name, field("Version"), source, repository, needs, remote)
