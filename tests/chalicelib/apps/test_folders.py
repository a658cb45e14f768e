"""Apps in folders: one row for a folder and its user, however many visitors come at once."""

import threading

import pytest

from chalicelib.apps import folders, versions
from chalicelib.apps.errors import BadFolder
from chalicelib.apps.model import App
from chalicelib.unix_ids import store, users
from chalicelib.unix_ids.model import UnixUser
from chalicelib.unix_ids.users import BadRunAs

pytestmark = pytest.mark.usefixtures("dynamodb_calls")


def test_an_app_and_its_version_are_made_at_the_first_visit() -> None:
    app = folders.app_of("/srv/shiny-server/hello", "shiny", 5.0, "shiny-r")
    version = versions.get(app.app_id, str(app.active_version))
    assert version is not None
    assert version.folder == "trees/srv/shiny-server/hello"
    assert (version.kind, app.run_as) == ("shiny-r", "shiny")
    again = folders.app_of("/srv/shiny-server/hello", "shiny", 9.0)
    assert (again.app_id, again.created_at) == (app.app_id, 5.0)
    assert folders.app_of("/srv/shiny-server/hello", "ann", 9.0).app_id != app.app_id
    assert folders.app_of("~ann/ShinyApps/x", "ann", 9.0).name == "ann:~ann/ShinyApps/x"


def test_all_apps_of_a_name_have_its_number_for_good() -> None:
    first = folders.app_of("/srv/a", "shiny", 1.0)
    second = folders.app_of("/srv/b", "shiny", 2.0)
    other = folders.app_of("/srv/a", "ann", 2.0)
    assert first.unix_id == second.unix_id != other.unix_id
    assert int(first.unix_id) in store.USERS
    UnixUser("www-data", unix_id=33, group=33, home="/var/www").save()
    assert folders.app_of("/srv/a", "www-data", 2.0).unix_id == 33


def test_visitors_at_once_get_the_same_app() -> None:
    found: list[str] = []
    visitors = [
        threading.Thread(target=lambda: found.append(folders.app_of("/srv/a", "shiny", 1.0).app_id))
        for _ in range(8)
    ]
    for each in visitors:
        each.start()
    for each in visitors:
        each.join()
    assert len(found) == 8
    assert len(set(found)) == 1
    assert len(list(App.scan())) == len(list(UnixUser.scan())) == 1


@pytest.mark.parametrize(
    "folder",
    ["srv/a", "", "/", "/srv//a", "/srv/../etc", "/srv/.", "/srv/a/", "/srv/\n", "/" + "a" * 1024],
)
def test_what_is_no_folder_is_refused(folder: str) -> None:
    with pytest.raises(BadFolder, match="cannot hold an app"):
        folders.app_of(folder, "shiny", 1.0)
    assert not list(App.scan())


@pytest.mark.parametrize("name", ["root", "toor", "", ":HOME_USER:", "../x", "a b", "-x", "a" * 65])
def test_apps_run_as_no_such_user(name: str) -> None:
    with pytest.raises(BadRunAs, match="run_as"):
        users.of(name, 1.0)
    with pytest.raises(BadRunAs, match="run_as"):
        folders.app_of("/srv/a", name, 1.0)
