"""An app's life cycle by the command: archived, restored, deleted; and the sweeper on what is well,
with the rights that it has.
"""

from pathlib import Path

import pytest

from tests.support.apps import app
from tests.support.stack import StackProcess
from tests.support.waiting import until

pytestmark = pytest.mark.stack

HTML = {"accept": "text/html"}


def tasks(stack: StackProcess, instance_id: str) -> list[str]:
    """Tasks of an instance that run."""
    found: list[str] = stack.client("ecs").list_tasks(
        cluster=stack.environment()["SHEEN_CLUSTER"], startedBy=instance_id
    )["taskArns"]
    return found


def test_an_app_is_archived_restored_and_deleted(stack: StackProcess, tmp_path: Path) -> None:
    stack.publish(app(tmp_path / "echo"), "/life")
    stack.wake("/life/")
    instance = stack.instance_of("/life")
    assert instance
    app_id = instance["version_id"].partition(".")[0]
    assert len(tasks(stack, instance["instance_id"])) == 1
    refused = stack.sheen("delete", "/life", "--yes", check=False)
    assert refused.returncode == 5
    assert "only what is archived" in refused.stderr
    assert "1 instances were stopped" in stack.sheen("archive", "/life").stdout
    assert (stack.instance_of("/life") or {})["state"] == "STOPPED"
    until(lambda: not tasks(stack, instance["instance_id"]), 40, "its task to stop")
    until(lambda: stack.get("/life/", HTML).status == 404, 10, "its visitors to be turned away")
    assert "archived" in next(
        line for line in stack.sheen("apps").stdout.splitlines() if "/life" in line
    )
    stack.sheen("restore", "/life")
    stack.wake("/life/")
    stack.sheen("archive", "/life")
    assert "deleted with 1 versions" in stack.sheen("delete", "/life", "--yes").stdout
    until(lambda: stack.get("/life/", HTML).status == 404, 10, "the app to be gone")
    efs = stack.data / "efs"
    assert (efs / "apps").is_dir()
    until(lambda: not (efs / "apps" / app_id).exists(), 60, "its files to be gone")
    keys = stack.client("s3").list_objects_v2(
        Bucket=stack.environment()["SHEEN_BUCKET"], Prefix="bundles/life/"
    )
    assert not keys.get("Contents")


def test_the_sweeper_may_do_its_work_and_leaves_alone_what_is_well(
    stack: StackProcess, tmp_path: Path
) -> None:
    stack.publish(app(tmp_path / "echo"), "/swept")
    stack.wake("/swept/")
    stack.sweep()
    assert (stack.instance_of("/swept") or {})["state"] == "READY"


def test_an_app_is_restarted(stack: StackProcess, tmp_path: Path) -> None:
    stack.publish(app(tmp_path / "echo"), "/again-and-again")
    assert "sleeps" in stack.sheen("restart", "/again-and-again").stdout
    stack.wake("/again-and-again/")
    before = (stack.instance_of("/again-and-again") or {})["instance_id"]
    assert "1 instances were told" in stack.sheen("restart", "/again-and-again").stdout
    stack.wake("/again-and-again/")
    assert (stack.instance_of("/again-and-again") or {})["instance_id"] == before
    assert stack.sheen("restart", "/nowhere", check=False).returncode == 3
