"""Reads ``.shiny_app.conf``, which an app has in its folder. Pure.

The grammar is that of ``shiny-server.conf``, without blocks. The file counts only where
``allow_app_override`` says so.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from chalicelib.configuration.declaring import LayerKind
from chalicelib.configuration.errors import BadAppSetting
from chalicelib.configuration.layers import APP_FILE, Layer, Origin
from chalicelib.configuration.shiny_server_conf.access import ANYBODY
from chalicelib.configuration.shiny_server_conf.check import check
from chalicelib.configuration.shiny_server_conf.findings import Finding
from chalicelib.configuration.shiny_server_conf.model import SettingValue
from chalicelib.configuration.shiny_server_conf.parser import parse
from chalicelib.configuration.shiny_server_conf.scopes import arrange
from chalicelib.configuration.shiny_server_conf.site import settings_of
from chalicelib.configuration.shiny_server_conf.translation import translate
from chalicelib.configuration.shiny_server_conf.use import Use

LARGEST = 16_384
"""The most bytes of a file; its text is in the app's row."""
_MOST = 10
"""Errors that are shown."""


@dataclass(frozen=True, slots=True)
class AppFile:
    """What an app's file says, and what there is to tell about it."""

    settings: Mapping[str, SettingValue]
    notes: tuple[Finding, ...]
    """Directives that have no effect here, or another one than the file says."""

    @property
    def layer(self) -> Layer:
        """The settings, each with its line."""
        return Layer(
            Origin(LayerKind.BUNDLE, APP_FILE),
            {name: value.value for name, value in self.settings.items()},
            {name: f"{APP_FILE}:{value.position.line}" for name, value in self.settings.items()},
        )


def decoded(data: bytes) -> str:
    """Return a file's text; raise :class:`BadAppSetting` if it is too long or not UTF-8."""
    if len(data) > LARGEST:
        raise BadAppSetting(f"{APP_FILE} has more than {LARGEST:,} bytes; shorten it")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise BadAppSetting(
            f"{APP_FILE} is not UTF-8 (at byte {error.start}); save it as that"
        ) from None


@lru_cache(maxsize=256)
def read(text: str) -> AppFile:
    """Read a file; raise :class:`BadAppSetting` with all errors, each with line and column.

    A file that asks for a login is an error as long as nobody can sign in: the app is closed.
    """
    tree = parse(text, APP_FILE)
    checked = check(tree)
    errors = [*checked.errors, *_closing(checked.uses)]
    if errors:
        more = f"; and {len(errors) - _MOST} more" if len(errors) > _MOST else ""
        raise BadAppSetting("; ".join(map(str, errors[:_MOST])) + more)
    of_app = [use for use in checked.uses if use.directive.in_app_file]
    ignored = [
        Finding(use.position, f"{use.name} has no effect in {APP_FILE}")
        for use in checked.uses
        if not use.directive.in_app_file
    ]
    differing = [
        Finding(use.position, f"{use.name}: {said.remark}")
        for use in of_app
        if (said := translate(use)) is not None and said.remark
    ]
    notes = sorted([*ignored, *differing], key=lambda note: note.position)
    return AppFile(settings_of(arrange(of_app)), tuple(notes))


def _closing(uses: Sequence[Use]) -> list[Finding]:
    return [
        Finding(use.position, f"{use.name} asks for a login, which Sheen does not have yet")
        for use in uses
        if use.name == "required_group"
        or (use.name == "required_user" and ANYBODY not in use.values["users"])
    ]
