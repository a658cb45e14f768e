"""Files and configurations to match against."""

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from chalicelib.configuration.shiny_server_conf.model import Configuration
from chalicelib.configuration.shiny_server_conf.reading import Reading, read
from chalicelib.configuration.shiny_server_conf.site_dir import Entry

FILES = Path(__file__).parent / "files"


def reading(name: str) -> Reading:
    """Read one of the configurations beside this file."""
    return read((FILES / f"{name}.conf").read_text(), f"{name}.conf")


def configuration(text: str) -> Configuration:
    """Return a configuration that has no errors."""
    found = read(text, "x.conf")
    assert found.configuration is not None, found.errors
    return found.configuration


class Files:
    """A tree. A path ends with ``/`` for a folder and with ``/!`` for an app; else it is a file."""

    def __init__(
        self, paths: Iterable[str] = (), users: Mapping[str, Collection[str]] | None = None
    ) -> None:
        self.entries = {"/": Entry.FOLDER}
        self.users = users or {}
        for path in paths:
            *parents, name = path.split("/")
            for depth in range(1, len(parents) + 1):
                self.entries.setdefault("/".join(parents[:depth]) or "/", Entry.FOLDER)
            if name == "!":
                self.entries["/".join(parents) or "/"] = Entry.APP
            elif name:
                self.entries[path] = Entry.FILE

    def kind(self, path: str) -> Entry:
        return self.entries.get(path, Entry.NONE)

    def groups(self, user: str) -> Collection[str] | None:
        return self.users.get(user)
