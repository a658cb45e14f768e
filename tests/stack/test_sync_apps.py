"""Apps and synced data: who sees it, who may add to it, what restarts, and a site tree that is
served.
"""

import os
import re
from functools import partial
from pathlib import Path

import pytest

from tests.support.stack import StackProcess
from tests.support.syncing import StackSync
from tests.support.waiting import until

LOOKING = """
library(shiny)
folder <- Sys.getenv("SHEEN_SYNC_PRICES", Sys.getenv("PEEK"))
try_to <- function(code) tryCatch({ suppressWarnings(force(code)) }, error = function(e) "refused")
said <- c(
  paste0("read:", try_to(paste(readLines(file.path(folder, "a.csv")), collapse = ""))),
  paste0("list:", try_to(paste(dir(folder), collapse = ","))),
  paste0("add:", try_to({ cat("mine", file = file.path(folder, "added.txt")); "added" })),
  paste0("change:", try_to({ cat("spoilt", file = file.path(folder, "a.csv")); "changed" })),
  paste0("remove:", unlink(file.path(folder, "a.csv")), file.exists(file.path(folder, "a.csv"))),
  paste0("pid:", Sys.getpid())
)
shinyApp(fluidPage(pre(paste(said, collapse = "\\n"))), function(input, output) {})
"""


def publish(
    stack: StackProcess, folder: Path, at: str, code: str = LOOKING, **settings: object
) -> None:
    folder.mkdir(parents=True)
    (folder / "app.R").write_text(code)
    stack.publish(folder, at, **settings)


def page(stack: StackProcess, at: str) -> dict[str, str]:
    """What the app's page says, once it is the app that answers."""

    def said() -> dict[str, str]:
        body = stack.get(f"{at}/", {"accept": "text/html"}).text
        return dict(re.findall(r"(read|list|add|change|remove|pid):([^\n<]*)", body))

    return until(said, 60, f"{at} to be served by R")


@pytest.mark.skipif(
    os.geteuid() != 0, reason="apps have users of their own only where the stack is root's"
)
def test_an_app_sees_the_syncs_that_it_was_given_and_no_others_and_adds_only_where_it_may(
    stack: StackProcess, tmp_path: Path
) -> None:
    sync = StackSync(stack, "prices", apps="/reader /wri*")
    sync.put("a.csv", b"12")
    assert sync.run()["status"] == "succeeded"
    publish(stack, tmp_path / "stranger", "/stranger", environment=f"PEEK={sync.folder}")
    publish(stack, tmp_path / "refused", "/refused", data="prices=write")
    publish(stack, tmp_path / "reader", "/reader", data="prices=read")
    publish(stack, tmp_path / "writer", "/writer", data="prices=write", preload="false")
    stranger = page(stack, "/stranger")
    assert (stranger["read"], stranger["list"], stranger["add"]) == ("refused", "", "refused")
    refused = page(stack, "/refused")  # its own setting is not enough
    assert (refused["read"], refused["list"], refused["add"]) == ("refused", "", "refused")
    reader = page(stack, "/reader")
    assert (reader["read"], reader["list"], reader["add"], reader["change"]) == (
        "12",
        "a.csv",
        "refused",
        "refused",
    )
    writer = page(stack, "/writer")
    assert (writer["read"], writer["add"], writer["change"]) == ("12", "added", "refused")
    assert writer["remove"].endswith("TRUE")  # it is still there
    assert sync.content() == {"a.csv": b"12", "added.txt": b"mine"}


def test_apps_whose_data_changed_are_restarted_when_they_want_that(
    stack: StackProcess, tmp_path: Path
) -> None:
    sync = StackSync(stack, "model", apps="/fresh /same")
    sync.put("a.csv", b"1")
    sync.run()
    code = LOOKING.replace("PRICES", "MODEL")
    publish(
        stack,
        tmp_path / "fresh",
        "/fresh",
        code,
        data="model=read",
        restart_on_sync="true",
        app_idle_timeout=600,
    )
    publish(stack, tmp_path / "same", "/same", code, data="model=read", app_idle_timeout=600)
    fresh, same = page(stack, "/fresh"), page(stack, "/same")
    sync.run()  # nothing has changed
    assert page(stack, "/fresh")["pid"] == fresh["pid"]
    sync.put("a.csv", b"2")
    assert sync.run()["status"] == "succeeded"
    until(lambda: page(stack, "/fresh")["pid"] != fresh["pid"], 60, "a new process")
    assert page(stack, "/fresh")["read"] == "2"
    assert page(stack, "/same")["pid"] == same["pid"]


def test_each_folder_of_a_site_tree_is_an_app_and_follows_what_changes(stack: StackProcess) -> None:
    site = StackSync(stack, "site", publish="/site", delete="true")
    code = (
        "library(shiny)\nshinyApp(fluidPage(pre(paste0('read:ONE\\npid:', Sys.getpid()))), "
        "function(input, output) {})\n"
    )
    site.put_all(
        {"hello/app.R": code.encode(), "team/sales/app.R": code.encode(), "readme.txt": b"no app"}
    )
    assert site.run()["status"] == "succeeded"
    for at in ("/site/hello", "/site/team/sales"):
        until(partial(_is_listed, stack, at), 60, f"{at} to be published")
    stack.sheen("configure", "/site/hello", "app_idle_timeout=600")
    first = page(stack, "/site/hello")
    assert first["read"] == "ONE"
    versions = [
        line for line in stack.sheen("apps").stdout.splitlines() if line.startswith("/site/")
    ]
    site.put("hello/restart.txt", b"now")
    assert site.run()["status"] == "succeeded"
    until(lambda: page(stack, "/site/hello")["pid"] != first["pid"], 60, "a new process")
    again = [line for line in stack.sheen("apps").stdout.splitlines() if line.startswith("/site/")]
    assert [line.split()[4:5] for line in again] == [line.split()[4:5] for line in versions], (
        "restarting published something"
    )
    site.put("hello/app.R", code.replace("ONE", "TWO").encode())
    assert site.run()["status"] == "succeeded"
    until(lambda: page(stack, "/site/hello")["read"] == "TWO", 90, "the new version")


def _is_listed(stack: StackProcess, location: str) -> bool:
    return f"{location} " in stack.sheen("apps").stdout
