"""What a hostile author uploads is refused at once, in a sentence, on a running stack; and removals
go on whatever apps leave.
"""

import os
from pathlib import Path

import pytest

from tests.support.archives import make_zip
from tests.support.publishing import upload
from tests.support.stack import StackProcess
from tests.support.syncing import StackSync
from tests.support.waiting import until

pytestmark = pytest.mark.stack


def bundle(toml: bytes) -> bytes:
    return make_zip(
        [
            ("app.R", b"library(shiny)\nshinyApp(fluidPage(), function(input, output) NULL)\n"),
            ("sheen.toml", toml),
        ]
    )


def test_settings_that_reach_for_what_is_others_or_costs_too_much_are_refused(
    stack: StackProcess,
) -> None:
    StackSync(stack, "site-of-others", publish="/site-of-others")
    tries = {
        b'[secrets]\nX = "atk/other-teams-db"\n': 'the secret "atk/other-teams-db" (for X) is not for the app at /atk',  # noqa: E501
        b'role = "other/reader"\n': 'the role "other/reader" is not for the app at /atk',
        b'[data]\nsite-of-others = "write"\n': "sync site-of-others publishes the apps in its folder at /site-of-others",  # noqa: E501
        b"max_instances = 100\nstart_count = 100\n": "setting max_instances is 100; this deployment allows 10 at most",  # noqa: E501
        b"instance_idle_timeout = 0\n": "setting instance_idle_timeout is 0; this deployment allows 86400 at most",  # noqa: E501
        b"a = " + b"[" * 50_000: "sheen.toml: line 1 nests more than 16 levels",
    }
    for number, (toml, told) in enumerate(tries.items()):
        found = upload(stack, f"bundles/atk/thief{number}/{number}.zip", bundle(toml))
        assert found["status"] == "rejected"
        assert told in found["message"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give each app its own user")
def test_a_tree_deeper_than_anything_recurses_is_removed_with_its_app(
    stack: StackProcess, tmp_path: Path
) -> None:
    folder = tmp_path / "deep"
    folder.mkdir()
    (folder / "app.R").write_text(
        "library(shiny)\nshinyApp(fluidPage(), function(input, output) NULL)\n"
    )
    stack.publish(folder, "/deep-data")
    efs = Path(stack.efs)
    app_id = _app_id(stack, "/deep-data")
    data = efs / "data" / app_id
    data.mkdir(parents=True)
    at = os.open(data, os.O_RDONLY)
    for _ in range(1500):
        os.mkdir("d", dir_fd=at)
        below = os.open("d", os.O_RDONLY, dir_fd=at)
        os.close(at)
        at = below
    os.close(at)
    stack.sheen("archive", "/deep-data")
    stack.sheen("delete", "/deep-data", "--yes")
    until(
        lambda: not data.exists() and not (efs / "apps" / app_id).exists(),
        90,
        "the app's folders to be gone",
    )
    until(
        lambda: not list((efs / "data").glob(".removing-*")), 60, "all that was in them to be gone"
    )


def _app_id(stack: StackProcess, location: str) -> str:
    key = {"location": {"S": location}}
    row = stack.client("dynamodb").get_item(
        TableName="sheen-local-apps", Key=key, ConsistentRead=True
    )["Item"]
    return str(row["app_id"]["S"])
