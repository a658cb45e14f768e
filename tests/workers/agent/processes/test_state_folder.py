"""Bookmarked states of apps in folders are where Shiny Server has them."""

import os
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from agent.processes import state_folder
from agent.record import InstanceRecord
from chalicelib import layout
from chalicelib.configuration.app_settings import AppSettings
from chalicelib.instances.model import InstanceRef
from chalicelib.kinds import shiny_r
from machine.account import Account

APP_ID, USER_ID = "0123456789ab", 150_001 if os.geteuid() == 0 else os.geteuid()
HELLO = Path("/srv/shiny-server/hello")


def record(
    tmp_path: Path, state_dir: str = "states", tree: Path | None = HELLO.parent
) -> InstanceRecord:
    """Return an app in a folder, in a tree of this machine."""
    return InstanceRecord(
        InstanceRef(f"{APP_ID}.in-place", 0, "f" * 16),
        "shiny:/srv/shiny-server/hello",
        USER_ID,
        AppSettings(bookmark_state_dir=str(tmp_path / state_dir) if state_dir else ""),
        "secret",
        HELLO,
        shiny_r.KIND,
        account=Account("shiny", USER_ID, USER_ID, (), tmp_path),
        tree=tree,
    )


def test_the_layout_and_the_rights_are_those_of_shiny_server(tmp_path: Path) -> None:
    made = state_folder.of_app(record(tmp_path), tmp_path, USER_ID)
    assert made == tmp_path / "states/shiny" / state_folder.name_of(HELLO)
    of_user = made.parent
    assert stat.S_IMODE((tmp_path / "states").stat().st_mode) == 0o711
    assert stat.S_IMODE(of_user.stat().st_mode) == 0o700
    assert of_user.stat().st_uid == made.stat().st_uid == USER_ID
    (made / "of before").mkdir()
    assert state_folder.of_app(record(tmp_path), tmp_path, USER_ID) == made
    assert (made / "of before").is_dir()


@pytest.mark.parametrize("way", ["published", "on another machine", "off", "open", "link"])
def test_otherwise_they_are_in_the_apps_own_folder(tmp_path: Path, way: str) -> None:
    app = record(tmp_path)
    match way:
        case "published":
            app = replace(app, account=None, tree=None)
        case "on another machine":
            app = replace(app, tree=None)
        case "off":
            app = replace(app, settings=AppSettings(bookmark_state_dir="off"))
        case "open":  # another user could prepare this one's folder there
            (tmp_path / "states").mkdir()
            (tmp_path / "states").chmod(0o777)
        case "link":
            (tmp_path / "states").mkdir(mode=0o711)
            (tmp_path / "elsewhere").mkdir()
            (tmp_path / "states" / "shiny").symlink_to(tmp_path / "elsewhere")
    made = state_folder.of_app(app, tmp_path, USER_ID)
    assert made == tmp_path / layout.BOOKMARKS / APP_ID
    assert not list(tmp_path.glob("elsewhere/*"))
