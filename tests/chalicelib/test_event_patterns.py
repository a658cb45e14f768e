"""The events that start functions are the deployment's own, in an account that has other things
too.
"""

import json
import os
import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest

from infra.declared import DECLARED, TREE
from infra.declared.place import OtherBucket
from infra.emulator.events.patterns import matches
from infra.local.place import local_place
from infra.local.settings import LocalSettings

PLACE = replace(
    local_place(LocalSettings()),
    stage="prod",
    region="eu-west-1",
    account="111122223333",
    other_buckets=(OtherBucket("observations", "a/"), OtherBucket("observations", "b/")),
)
READ = """
import json, app
print(json.dumps({one.name: one.event_pattern for one in app.app.event_sources if hasattr(one, "event_pattern")}))
"""  # noqa: E501


@pytest.fixture(scope="module")
def patterns() -> dict[str, Any]:
    """Function → the pattern that Chalice packages for the place."""
    environment = {
        **os.environ,
        **DECLARED.packaging_environment(PLACE),
        "PYTHONPATH": str(TREE / "chalice_app"),
    }
    read = subprocess.run(
        [sys.executable, "-c", READ], env=environment, capture_output=True, text=True, check=True
    )
    found: dict[str, Any] = json.loads(read.stdout)
    return found


def event(source: str, kind: str, detail: dict[str, Any], *resources: str) -> dict[str, Any]:
    return {
        "source": source,
        "detail-type": kind,
        "detail": detail,
        "resources": list(resources),
        "account": "444455556666",
    }


def test_tasks_of_other_clusters_start_nothing(patterns: dict[str, Any]) -> None:
    def stopped(cluster: str) -> bool:
        detail = {"clusterArn": PLACE.arn("ecs", f"cluster/{cluster}"), "lastStatus": "STOPPED"}
        return matches(
            patterns["on_task_stopped"], event("aws.ecs", "ECS Task State Change", detail)
        )

    assert stopped("sheen-prod")
    assert not stopped("web") and not stopped("sheen-prod-2")


def test_objects_of_other_buckets_start_nothing(patterns: dict[str, Any]) -> None:
    def written(bucket: str, key: str) -> bool:
        detail = {"bucket": {"name": bucket}, "object": {"key": key}}
        return matches(patterns["on_object_written"], event("aws.s3", "Object Created", detail))

    assert written("sheen-prod", "data/x") and written("observations", "a/x")
    assert not written("logs-of-somebody", "data/x") and not written("sheen-prod", "bodies/x")


def test_only_the_file_in_the_own_bucket_is_applied(patterns: dict[str, Any]) -> None:
    def applied(bucket: str, key: str) -> bool:
        detail = {"bucket": {"name": bucket}, "object": {"key": key}}
        pattern = patterns["on_configuration_written"]
        return matches(pattern, event("aws.s3", "Object Created", detail))

    assert applied("sheen-prod", "config/shiny-server.conf")
    assert not applied("observations", "config/shiny-server.conf")
    assert not applied("sheen-prod", "config/shiny-server.conf.outcome.json")
    assert not applied("sheen-prod", "config/files/etc/shiny-server/passwd")


def test_transfers_of_other_regions_and_accounts_start_nothing(patterns: dict[str, Any]) -> None:
    def ended(arn: str) -> bool:
        detail = {"State": "SUCCESS"}
        return matches(
            patterns["on_transfer_change"],
            event("aws.datasync", "DataSync Task Execution State Change", detail, arn),
        )

    assert ended("arn:aws:datasync:eu-west-1:111122223333:task/task-1/execution/exec-1")
    assert not ended("arn:aws:datasync:eu-west-1:444455556666:task/task-1/execution/exec-1")


def test_no_pattern_matches_a_whole_account(patterns: dict[str, Any]) -> None:
    for name, pattern in patterns.items():
        told = json.dumps(pattern)
        assert "sheen-prod" in told or "111122223333" in told, f"{name}: {told}"
