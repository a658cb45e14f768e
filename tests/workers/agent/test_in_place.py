"""An app in a folder: it runs there, as its user, and sees what that user may see."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent import looking
from agent.looking import NotSeen
from chalicelib.configuration.above import Above
from chalicelib.configuration.declaring import LayerKind
from chalicelib.configuration.layers import Layer, Origin
from chalicelib.unix_ids.model import UnixUser
from machine.account import Account
from tests.workers.agent.running import USER, Launch

UNIX_ID, OTHER, GROUP = 150_001, 150_002, 150_003
APP = """
library(shiny)
cat("started\\n", file = "starts.txt", append = TRUE)
there <- function(path) tryCatch(readLines(path, warn = FALSE)[[1]], error = function(e) "closed")
shinyApp(
  fluidPage(textOutput("echo")),
  function(input, output) {
    output$echo <- renderText(paste0(
      "MARK|", getwd(), "|", Sys.info()[["effective_user"]], "|", Sys.getenv("USER"), "|",
      Sys.getenv("HOME"), "|", suppressWarnings(there(SECRET)), "|", serverInfo()$shinyServer, "|"
    ))
  }
)
"""


@pytest.fixture
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder that any user can reach."""
    made = Path("/var/tmp") / f"sheen-place-{os.getpid()}"
    made.mkdir(mode=0o755)
    yield made
    shutil.rmtree(made)


@pytest.fixture
def ann(tables: None, place: Path) -> Path:
    """The user of the apps; return the home."""
    home = place / "home"
    home.mkdir()
    os.chown(home, UNIX_ID, UNIX_ID)
    UnixUser(
        USER,
        unix_id=UNIX_ID,
        group=UNIX_ID,
        more_groups=[GROUP],
        group_names=["staff"],
        home=str(home),
    ).save()
    return home


def written(place: Path, mark: str, secret: Path) -> Path:
    app = place / "hello"
    app.mkdir(exist_ok=True)
    (app / "app.R").write_text(APP.replace("MARK", mark).replace("SECRET", f'"{secret}"'))
    os.chown(app, UNIX_ID, UNIX_ID)
    return app


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give an app a user")
async def test_it_runs_in_its_folder_as_its_user_and_restart_txt_begins_anew(
    launch: Launch, place: Path, ann: Path
) -> None:
    secret = place / "secret"
    secret.write_text("of another user")
    os.chown(secret, OTHER, OTHER)
    secret.chmod(0o600)
    app = written(place, "first", secret)
    running = await launch(folder=app)
    await running.ready()
    await running.page("a1")
    told = f"first|{app}|{USER}|{USER}|{ann}|closed|TRUE|"
    await running.open("a1", "c1", told)
    # What it wrote is in the folder itself.
    assert (app / "starts.txt").read_text() == "started\n"
    assert (app / "starts.txt").stat().st_uid == UNIX_ID

    written(place, "second", secret)
    page = await running.page("a2")
    assert page["worker"] == "in-place.0.1"
    # Shiny itself reads a changed app.R for new sessions.
    await running.open("a2", "c2", told.replace("first", "second"))

    (app / "restart.txt").touch()
    tried: list[str] = []
    while page["worker"] == "in-place.0.1":  # a look is used again for a moment
        tried.append(f"b{len(tried)}")
        page = await running.page(tried[-1])
        assert len(tried) < 200
    await running.open(tried[-1], "c3", told.replace("first", "second"))
    workers = {each["id"] for each in await running.workers()}
    assert {"in-place.0.1", "in-place.0.2"} <= workers, "open sessions keep their process"


ALLOWED = Above((Layer(Origin(LayerKind.DEPLOYMENT, "x.conf:1"), {"allow_app_override": True}),), 1)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give an app a user")
async def test_its_own_directives_count_from_its_start_and_after_a_restart(
    launch: Launch, place: Path, ann: Path
) -> None:
    app = written(place, "x", place / "no")
    own = app / ".shiny_app.conf"
    own.write_text("reconnect off; simple_scheduler 7; frame_options deny;")
    running = await launch(folder=app, above=ALLOWED)
    await running.ready()
    assert (await running.page("a1"))["settings"]["reconnect"] is False
    row = running.row()
    assert (row.app_file, int(row.capacity)) == (own.read_text(), 7)

    own.write_text("app_idle_timeout 5;\nreconect on;")
    assert (await running.page("a2"))["settings"]["reconnect"] is False, "not read again yet"
    status, text = await running.ask("POST", "/restart")
    assert (status, ".shiny_app.conf:2:1: there is no directive" in text) == (409, True)
    assert running.row().app_file.startswith("reconnect off")
    own.unlink()
    assert (await running.ask("POST", "/restart"))[0] == 200
    assert (await running.page("a3"))["settings"]["reconnect"] is True
    assert (running.row().app_file, int(running.row().capacity)) == ("", 100)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give an app a user")
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("required_user ann;", ".shiny_app.conf:1:1: required_user asks for a login"),
        ("app_init_timeout 1s;", ".shiny_app.conf:1:18: timeout of app_init_timeout"),
        (None, ".shiny_app.conf cannot be read (as user"),
    ],
)
async def test_an_app_with_wrong_directives_of_its_own_does_not_start_and_says_where(
    launch: Launch, place: Path, ann: Path, text: str | None, said: str
) -> None:
    own = written(place, "x", place / "no") / ".shiny_app.conf"
    if text is None:
        os.mkfifo(own)
    else:
        own.write_text(text)
    running = await launch(folder=own.parent, above=ALLOWED)
    await running.process.wait()
    [failed] = running.cloud.said("SendTaskFailure")
    assert said in failed["cause"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give an app a user")
def test_a_look_sees_what_the_user_sees_and_no_more(place: Path) -> None:
    account = Account(USER, UNIX_ID, UNIX_ID, (), place)
    with pytest.raises(NotSeen, match="No such file"):
        looking.seen_by(account, place / "gone")
    closed = place / "closed"
    closed.mkdir(mode=0o700)
    (closed / "app.R").touch()
    with pytest.raises(NotSeen, match="Permission denied"):
        looking.seen_by(account, closed)
    os.chown(closed, UNIX_ID, UNIX_ID)
    seen = looking.seen_by(account, closed)
    assert not isinstance(seen.kind, str)
    assert seen.kind.kind.name == "shiny-r"
    (closed / "app.R").rename(closed / "app.py")
    (closed / "app.py").write_text("from shiny import App")
    (closed / ".Renviron").touch()
    os.mkfifo(closed / "manifest.json")
    seen = looking.seen_by(account, closed)
    assert not isinstance(seen.kind, str)
    assert seen.kind == (seen.kind.kind, "app:app")
    assert seen.kind.kind.name == "shiny-python"
    assert seen.startup == (".Renviron",)
    (closed / "app.py").unlink()
    assert "No app is in it" in str(looking.seen_by(account, closed).kind)


def test_a_tree_that_root_linked_is_followed_and_no_other(tmp_path: Path) -> None:
    real, efs = tmp_path / "srv", tmp_path / "efs"
    (real / "hello").mkdir(parents=True)
    (efs / "trees").mkdir(parents=True)
    (efs / "trees/srv").symlink_to(real)
    assert looking.place_of(efs, "trees/srv/hello") == (real / "hello", real)
    assert looking.place_of(efs, "trees/none/hello") == (efs / "trees/none/hello", None)
    (efs / "trees/open").mkdir()
    (efs / "trees/open").chmod(0o777)
    (efs / "trees/open/hello").symlink_to("/etc")
    assert looking.place_of(efs, "trees/open/hello") == (efs / "trees/open/hello", None)
