"""What a Lambda's new environment has to load stays little; counted, not timed (``benchmarks/cold``
times it).
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.cold import PACKAGE_MB, cold_import, sizes
from infra.declared import DECLARED
from infra.emulator.settings import TREE
from infra.local.package import Package, cache_folder, make_package
from infra.local.place import local_place
from infra.local.settings import LocalSettings
from infra.vendored import ALWAYS, services

PLACE = local_place(LocalSettings())
MOST_MODULES = 540
"""Of all that ``import app`` brings; 466 when this was written, 170 ms of processor time."""
CLIENTS = """
import json, sys
sys.path.insert(0, sys.argv[1])
import boto3
made = [boto3.client(name, region_name="us-east-1").meta.service_model.service_name for name in sys.argv[2:]]
print(json.dumps(made))
"""  # noqa: E501
NEVER = (
    "boto3",
    "s3transfer",
    "aiohttp",
    "asyncio.runners",
    "websockets",
    "moto",
    "pytest",
    "multiprocessing.pool",
    "pandas",
    "numpy",
)
"""What no function pays for before it needs it, or never."""


@pytest.fixture(scope="module")
def package() -> Package:
    return make_package(TREE / "chalice_app", sys.executable, DECLARED, PLACE, cache_folder())


def test_importing_the_app_brings_few_modules_and_no_sdk_that_may_not_be_needed(
    package: Package,
) -> None:
    function = package.functions[PLACE.function_name("instance_drain")]
    modules = cold_import(function)["modules"]
    assert len(modules) < MOST_MODULES
    assert not [name for name in modules if name.split(".")[0] in NEVER or name in NEVER]


def test_everything_that_is_imported_comes_as_bytecode(package: Package) -> None:
    code = next(iter(package.functions.values())).code
    sources = [path for folder in (code.parent / "layer", code) for path in folder.rglob("*.py")]
    assert len(sources) > 300
    tag = sys.implementation.cache_tag
    without = [
        path
        for path in sources
        if not (path.parent / "__pycache__" / f"{path.stem}.{tag}.pyc").exists()
    ]
    assert without == []


def test_the_packages_stay_small(tmp_path: Path) -> None:
    found = sizes(tmp_path)
    assert set(found) == {"deployment.zip", "layer-deployment.zip"}
    assert sum(found.values()) < PACKAGE_MB * 0.6  # 7 MB when this was written
    assert found["deployment.zip"] < 1.5  # what every change of the code uploads


def test_the_packages_have_the_services_that_functions_may_call_and_no_others(
    package: Package,
) -> None:
    layer = next(iter(package.functions.values())).layers[0]
    data = next(layer.rglob("botocore/data"))
    kept = {path.name for path in data.iterdir() if path.is_dir()}
    assert kept == services(DECLARED, PLACE)
    assert {"dynamodb", "s3", "stepfunctions", "ecs", "apigatewaymanagementapi"} | ALWAYS <= kept
    assert not {"ec2", "iam", "xray"} & kept
    made = subprocess.run(
        [sys.executable, "-I", "-S", "-c", CLIENTS, str(data.parents[1]), *sorted(kept)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(made.stdout) == sorted(kept)
