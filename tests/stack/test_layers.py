"""What a configuration says above a published app reaches its processes, also those of later."""

import re
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.apps import app
from tests.support.stack import StackProcess, free_port
from tests.support.waiting import until

pytestmark = pytest.mark.stack

APP = """
library(shiny)
message("a process begins")
shinyApp(
  function(request) fluidPage(paste0("role:", request$HTTP_X_ROLE, ";")),
  function(input, output) NULL
)
"""
CONFIGURATION = """run_as shiny;
log_dir LOGS;
log_file_mode 0604;
allow_app_override;
server {
  listen 3838;
  location / { site_dir /srv/shiny-server; whitelist_headers X-Role; }
}
"""
HTML = {"accept": "text/html", "X-Role": "analyst", "X_Role": "admin"}


@pytest.fixture
def own_stack(open_folder: Path) -> Iterator[StackProcess]:
    own = StackProcess(open_folder / f"layers-{free_port()}", free_port())
    own.start()
    yield own
    own.stop()


def page(stack: StackProcess) -> str:
    return stack.get("/layered/", HTML).body.decode()


def test_a_configuration_takes_hold_of_an_app_that_runs(
    own_stack: StackProcess, tmp_path: Path
) -> None:
    logs = tmp_path / "logs"
    logs.mkdir()
    folder = app(tmp_path / "layered", APP)
    (folder / ".shiny_app.conf").write_text("frame_options sameorigin;")
    own_stack.publish(folder, "/layered")
    own_stack.wake("/layered/")
    assert "role:;" in page(own_stack)
    before = own_stack.get("/layered/", HTML)
    assert "x-frame-options" not in before.headers
    [instance] = own_stack.instances()

    file = tmp_path / "shiny-server.conf"
    file.write_text(CONFIGURATION.replace("LOGS", str(logs)))
    own_stack.sheen("config", "apply", str(file))
    until(lambda: "role:analyst;" in page(own_stack), 60, "a process with the configuration")
    assert own_stack.get("/layered/", HTML).headers["x-frame-options"] == "sameorigin"
    until(lambda: len(list(logs.iterdir())) == 1, 20, "the log file")
    [log] = logs.iterdir()
    assert re.fullmatch(r"layered-shiny-\d{8}-\d{6}-0\.2\.log", log.name)
    assert stat.S_IMODE(log.stat().st_mode) == 0o604
    until(lambda: "a process begins" in log.read_text(), 20, "what the process says")
    assert [one["instance_id"] for one in own_stack.instances()] == [instance["instance_id"]]

    own_stack.sheen("config", "clear")
    until(lambda: "role:;" in page(own_stack), 60, "a process without the configuration")
