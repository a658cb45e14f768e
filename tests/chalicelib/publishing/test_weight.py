"""The functions that publish are light, and no bundle passes through any function."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from infra.declared import DECLARED
from infra.declared.bucket import BUNDLES, KEPT
from infra.declared.functions import function_statements
from infra.local.place import local_place
from infra.local.settings import LocalSettings

TREE = Path(__file__).resolve().parents[3]
HEAVY = (
    "boto3",
    "s3transfer",
    "aiohttp",
    "websockets",
    "asyncio.sslproto",
    "tarfile",
    "tomllib",
    "agent",
    "machine",
    "tasks",
    "infra",
    "sheen",
)
"""What none of these steps needs to be imported (FACTS H3): AWS's clients come with their first
use.
"""
MODULES = (
    "chalicelib.publishing.publish",
    "chalicelib.apps.versions",
    "chalicelib.publishing.retention",
    "chalicelib.publishing.again",
)
READS = {"s3:GetObject", "s3:GetObjectVersion", "s3:*", "*"}
PLACE = local_place(LocalSettings())


@pytest.mark.parametrize("module", MODULES)
def test_what_publishes_imports_nothing_heavy(module: str) -> None:
    said = subprocess.run(
        [
            sys.executable,
            "-c",
            f"import json, sys, {module}; print(json.dumps(sorted(sys.modules)))",
        ],
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(TREE / "chalice_app"),
            "HOME": os.environ.get("HOME", "/"),
        },
        cwd="/",
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    imported = set(json.loads(said))
    assert module in imported
    assert not imported & set(HEAVY)


@pytest.mark.parametrize("function", DECLARED.functions, ids=lambda function: function.name)
def test_no_function_may_read_a_bundle(function: object) -> None:
    for statement in function_statements(PLACE, function):  # type: ignore[arg-type]
        if READS & set(statement.actions):
            for resource in statement.resources:
                for prefix in (BUNDLES, KEPT):
                    objects = f"{PLACE.bucket_arn()}/{prefix}"
                    assert not resource.startswith(objects), statement
                    assert not objects.startswith(resource.rstrip("*")), statement


def test_a_bundle_is_read_by_the_build_and_nobody_else() -> None:
    reading = {
        name
        for name, role in DECLARED.roles(PLACE).items()
        for statement in role.statements
        if "s3:GetObject" in statement.actions
        and any(
            resource.startswith(f"{PLACE.bucket_arn()}/{BUNDLES}")
            for resource in statement.resources
        )
    }
    assert reading == {"task-build"}
