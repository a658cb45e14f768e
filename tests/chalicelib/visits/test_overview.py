"""The public list of apps shows what is published, and no folder of the machine."""

import pytest

from chalicelib.apps import folders, store
from chalicelib.apps.model import App
from chalicelib.visits.overview import overview

pytestmark = pytest.mark.usefixtures("dynamodb_calls")


def test_apps_in_folders_are_not_listed() -> None:
    folders.app_of("/srv/shiny-server/hello", "shiny", 1.0)
    published = store.ensure("/hello", 1.0)
    published.update(actions=[App.active_version.set("v")])
    listed = overview([], store.everywhere(), 2.0)["apps"]
    assert [entry[:3] for entry in listed] == [["*", "/hello", "Hello"]]
