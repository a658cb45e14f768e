"""What an app's settings put into R's environment; a secret's value is there and nowhere else."""

import os
from pathlib import Path

import pytest

from tests.support.apps import app
from tests.support.stack import StackProcess
from tests.support.waiting import until

pytestmark = pytest.mark.stack

HTML = {"accept": "text/html"}
SECRET = "hush-3f9a-never-told"
SHOWS = """
library(shiny)
shinyApp(
  fluidPage(lapply(c("R_CONFIG_ACTIVE", "LEVEL", "TZ", "AWS_ACCESS_KEY_ID"), function(it) tags$p(paste0(it, "=", Sys.getenv(it), ";"))),
            tags$p(paste0("secret:", nchar(Sys.getenv("DB_PASSWORD")), rev(strsplit(Sys.getenv("DB_PASSWORD"), "")[[1]])[1]))),
  function(input, output) NULL
)
"""  # noqa: E501


def page(stack: StackProcess, location: str) -> str:
    stack.wake(f"{location}/")
    return stack.get(f"{location}/", HTML).text


@pytest.mark.parametrize("preload", ["true", "false"])
def test_variables_and_secrets_reach_r_and_nothing_else(
    stack: StackProcess, tmp_path: Path, preload: str
) -> None:
    at = f"/env-{preload}"
    name = f"{stack.environment()['SHEEN_TABLE_PREFIX'].removesuffix('-')}/{at.strip('/')}/db"
    stack.client("secretsmanager").create_secret(Name=name, SecretString=SECRET)
    folder = app(tmp_path / "env", SHOWS)
    (folder / "sheen.toml").write_text(
        '[environment]\nLEVEL = "from the bundle"\nTZ = "Asia/Tokyo"\n'
    )
    stack.publish(
        folder,
        at,
        preload=preload,
        **{"environment.LEVEL": "a = 'b'", "secrets.DB_PASSWORD": f"{at.strip('/')}/db"},
    )
    seen = page(stack, at)
    assert "R_CONFIG_ACTIVE=shinyapps;" in seen
    assert "LEVEL=a = &#39;b&#39;;" in seen or "LEVEL=a = 'b';" in seen
    assert "TZ=Asia/Tokyo;" in seen
    assert "AWS_ACCESS_KEY_ID=;" in seen
    assert f"secret:{len(SECRET)}d" in seen
    for log in (stack.data / "logs").rglob("*"):
        assert not log.is_file() or SECRET.encode() not in log.read_bytes(), log
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes()
        except OSError:
            continue
        assert int(process.name) == os.getpid() or SECRET.encode() not in command
    assert SECRET not in str(stack.instances())


def test_a_missing_secret_fails_the_start_with_its_name_for_the_author(
    stack: StackProcess, tmp_path: Path
) -> None:
    stack.publish(
        app(tmp_path / "no-secret"), "/no-secret", **{"secrets.DB_PASSWORD": "shared/there"}
    )
    stack.get("/no-secret/", HTML)
    stopped = until(
        lambda: (row := stack.instance_of("/no-secret")) and row["state"] == "STOPPED" and row,
        60,
        "the start to fail",
    )
    assert stopped["failure"]
    told = "secret sheen-local/shared/there (for DB_PASSWORD): there is none of that name"
    assert told in str(stopped["failure"])
    until(
        lambda: told in stack.sheen("logs", "/no-secret").stdout, 20, "the reason in the app's log"
    )


def test_r_is_run_behind_the_apps_own_command_and_a_program_that_is_not_there_is_told(
    stack: StackProcess, tmp_path: Path
) -> None:
    shows = 'tags$p(paste0("nice=", strsplit(readLines("/proc/self/stat"), " ")[[1]][19], ";"))'
    folder = app(
        tmp_path / "nice",
        f"library(shiny)\nshinyApp(fluidPage({shows}), function(input, output) NULL)",
    )
    (folder / "sheen.toml").write_text('exec_supervisor = ["nice", "-n", "5"]\n')
    stack.publish(folder, "/nice")
    assert "nice=5;" in page(stack, "/nice")
    stack.publish(app(tmp_path / "no-r"), "/no-r", r_path="/opt/R/9.9/bin/R")
    stack.get("/no-r/", HTML)
    told = 'setting r_path: the image has no program "/opt/R/9.9/bin/R"; name one that it has'
    until(lambda: told in stack.sheen("logs", "/no-r").stdout, 60, "the reason in the app's log")


def test_r_config_active_can_be_changed(stack: StackProcess, tmp_path: Path) -> None:
    stack.publish(
        app(tmp_path / "config", SHOWS), "/config", **{"environment.R_CONFIG_ACTIVE": "staging"}
    )
    assert "R_CONFIG_ACTIVE=staging;" in page(stack, "/config")
