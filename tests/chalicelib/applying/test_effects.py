"""What becomes of published apps when another configuration holds."""

from chalicelib.applying.effects import Effect, changed, effects, fates
from chalicelib.apps.model import App
from chalicelib.configuration.applied import Applied, Content

SERVER = """run_as shiny; log_dir /l;
server { listen 80;
  location /team { app_idle_timeout 50; site_dir /srv/team;
    location /secret { required_user ann; } }
  location /taken { app_dir /srv/taken; }
}
"""
BEFORE = "run_as shiny; log_dir /l; server { listen 80; location /taken { app_dir /a; } }"
EVERYTHING = "run_as shiny; log_dir /l; server { listen 80; location / { site_dir /srv; } }"


def published(path: str, **settings: object) -> App:
    app = App(path, app_id="0123456789ab", unix_id=1, settings=settings, created_at=0, updated_at=0)
    app.active_version = "v1"
    return app


def applied(text: str = SERVER) -> Applied:
    return Applied.of("a", Content("x.conf", text))


def test_settings_that_change_are_named_with_both_values() -> None:
    apps = [published("/team/a"), published("/other"), published("/team/b", app_idle_timeout=50)]
    found = effects(applied(BEFORE), applied(), apps)
    default = str(apps[0].resolved().settings.app_idle_timeout)
    assert found == [
        Effect("/team/a", "app_idle_timeout", default, "50.0"),
    ]
    assert changed(effects(applied(), applied(BEFORE), apps)) == ["/team/a"]
    assert effects(applied(), applied(), apps) == []


def test_an_app_without_a_version_is_not_affected() -> None:
    app = published("/team/a")
    app.active_version = None
    assert effects(None, applied(), [app]) == []


def test_settings_that_no_longer_fit_together_are_told() -> None:
    app = published("/team/a")
    app.bundle_settings = {"no_such": 1}
    other = published("/team/b")
    assert changed(effects(applied(BEFORE), applied(), [app, other])) == ["/team/b"]


def test_each_published_app_learns_its_fate() -> None:
    apps = [published(path) for path in ("/other", "/taken", "/team/a", "/team/secret/a")]
    configuration = applied().configuration
    assert dict(fates(configuration, apps)) == {
        "/other": "as before, below the settings of server (line 2)",
        "/taken": "not reachable any more: the file leads elsewhere here",
        "/team/a": "as before, below the settings of location /team (line 3)",
        "/team/secret/a": "closed in location /secret (line 4): "
        "required_user on line 4 asks for a login",
    }
    root = dict(fates(applied(EVERYTHING).configuration, [published("/"), published("/a")]))
    assert root["/"].startswith("not reachable any more")
    assert root["/a"].startswith("as before, below the settings of location /")


def test_an_app_in_a_folder_is_no_published_app() -> None:
    app = published("shiny:/srv/hello")
    assert fates(applied().configuration, [app]) == []
    assert effects(None, applied(), [app]) == []
