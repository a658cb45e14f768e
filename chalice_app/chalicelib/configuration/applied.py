"""A ``shiny-server.conf`` that a deployment serves by, with the files that it names. Pure.

A configuration is stored as one object, which never changes, so a Lambda reads it in one call
(:mod:`chalicelib.configuration.keys`).
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from chalicelib.configuration.errors import BadConfiguration, ConfigurationLost
from chalicelib.configuration.layers import Layer
from chalicelib.configuration.shiny_server_conf.match import Arrival, Matcher
from chalicelib.configuration.shiny_server_conf.model import Configuration
from chalicelib.configuration.shiny_server_conf.reading import Reading, read
from chalicelib.configuration.shiny_server_conf.setting_layers import setting_layers

LARGEST_CONTENT = 4 << 20
"""Bytes of a configuration's object; a new Lambda environment reads it in a fraction of a second.

The text of the file is at most a quarter of this, the rest is left for templates.
"""


@dataclass(frozen=True)
class Content:
    """A file, and the files that it names except for the passwords."""

    file: str
    """The name of the file in positions."""
    text: str
    templates: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Folder of a ``template_dir``, as the file names it → name without ``.html`` → source."""
    health_checks: Mapping[str, str] = field(default_factory=dict)
    """What follows ``health-check-`` in a template's name → source; ``""``: ``health-check``."""

    def read(self) -> Reading:
        """Read the file's text in all steps."""
        return read(self.text, self.file)

    def to_bytes(self) -> bytes:
        """Return the object's bytes; raise :class:`BadConfiguration` if there are too many."""
        content = json.dumps(
            {
                "file": self.file,
                "text": self.text,
                "templates": self.templates,
                "health_checks": self.health_checks,
            },
            ensure_ascii=False,
        ).encode(errors="replace")
        if len(content) > LARGEST_CONTENT:
            raise BadConfiguration(
                f"{self.file}: with its templates it has {len(content):,} bytes; at most "
                f"{LARGEST_CONTENT:,} are stored: remove from the folders of template_dir what is "
                "no template"
            )
        return content

    @classmethod
    def from_bytes(cls, content: bytes) -> "Content":
        """Read an object's bytes; raise :class:`ConfigurationLost` if they are none of ours."""
        try:
            return _content(json.loads(content))
        except (ValueError, RecursionError):
            raise ConfigurationLost(
                "the configuration's object in the bucket is damaged; apply the file again with "
                "`sheen config apply FILE`"
            ) from None


def _content(found: object) -> Content:
    if not isinstance(found, dict):
        raise ValueError
    file, text = found.get("file"), found.get("text")
    folders = found.get("templates")
    if not isinstance(file, str) or not isinstance(text, str) or not isinstance(folders, dict):
        raise ValueError
    templates = {folder: dict(_texts(names)) for folder, names in folders.items()}
    return Content(file, text, templates, dict(_texts(found.get("health_checks"))))


def _texts(found: object) -> Iterator[tuple[str, str]]:
    if not isinstance(found, dict):
        raise ValueError
    for name, text in found.items():
        if not isinstance(text, str):
            raise ValueError
        yield name, text


@dataclass(frozen=True)
class Applied:
    """A configuration that holds."""

    id: str
    content: Content
    configuration: Configuration

    @classmethod
    def of(cls, configuration_id: str, content: Content) -> "Applied":
        """Read a configuration; raise :class:`ConfigurationLost` if the file has errors."""
        reading = content.read()
        if reading.configuration is None:
            raise ConfigurationLost(
                f"{content.file}: the file has {len(reading.errors)} errors, the first is "
                f"{reading.errors[0]}; `sheen config apply FILE` puts another in its place"
            )
        return cls(configuration_id, content, reading.configuration)

    @property
    def text(self) -> str:
        """The text of the file."""
        return self.content.text

    @property
    def templates(self) -> Mapping[str, Mapping[str, str]]:
        """See :attr:`Content.templates`."""
        return self.content.templates

    @property
    def health_checks(self) -> Mapping[str, str]:
        """See :attr:`Content.health_checks`."""
        return self.content.health_checks

    def layers_above(self, path: str, host: str = "") -> list[Layer]:
        """Return the layers that hold for what is published at a path."""
        return setting_layers(self.matcher.above(Arrival(path, host)))

    @cached_property
    def matcher(self) -> Matcher:
        """What decides which location answers a request."""
        return Matcher(self.configuration)
