"""Prepare the packages that the Lambdas import, so that Chalice can package them.

They are installed, stripped of the data of unused AWS services, and compiled.

Chalice would package each requirement unchanged. That includes 15 MB of descriptions of services
that nobody calls. It would also include no bytecode, which Lambda cannot write beside the sources,
so that each new environment compiles everything that it imports. Therefore the project has the
packages in its ``vendor`` folder, which Chalice packages unchanged, and an empty
``requirements.txt``.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from infra.bytecode import compile_folder
from infra.declared import Declared, Place

BOTOCORE_NAMES = {"states": "stepfunctions", "execute-api": "apigatewaymanagementapi"}
"""Services whose names in botocore differ from those in IAM."""
NOT_CALLED = frozenset({"ec2", "elasticfilesystem", "xray", "iam"})
"""Services that Lambda, or another service, calls with a function's role."""
ALWAYS = frozenset({"sts"})
PLATFORM = (
    "--platform",
    "manylinux2014_x86_64",
    "--implementation",
    "cp",
    "--only-binary",
    ":all:",
)
_UNUSED = ("bin", "boto3/examples")


class CannotVendor(Exception):
    """pip could not get the packages that the Lambdas import."""


def cache_folder() -> Path:
    """Return the cache folder, which belongs to the user."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "sheen" / "vendored"


def services(declared: Declared, place: Place) -> frozenset[str]:
    """Return botocore's names of the services that functions call, by their rights."""
    called = {
        action.partition(":")[0]
        for role in declared.roles(place).values()
        if role.service == "lambda.amazonaws.com"
        for statement in role.statements
        for action in statement.actions
    }
    return ALWAYS | {BOTOCORE_NAMES.get(service, service) for service in called - NOT_CALLED}


def vendored(requirements: Path, kept: frozenset[str], cache: Path) -> Path:
    """Return a folder with all of ``requirements``, ready to be copied.

    It is made once and kept in ``cache``. Raise :class:`CannotVendor`.
    """
    name = hashlib.sha256(
        f"{sys.version} {PLATFORM} {sorted(kept)} {requirements.read_text()} {_source()}".encode()
    ).hexdigest()[:24]
    folder = cache / f"vendor-{name}"
    if folder.exists():
        os.utime(folder)
        return folder
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as temporary:
        made = Path(temporary) / "vendor"
        made.mkdir()
        if requirements.read_text().strip():
            _install(requirements, made)
        for unused in _UNUSED:
            shutil.rmtree(made / unused, ignore_errors=True)
        for data in (made / "botocore" / "data", made / "boto3" / "data"):
            _keep(data, kept)
        compile_folder(made)
        try:
            made.rename(folder)
        except OSError:
            if not folder.exists():  # another process was faster
                raise
    return folder


def _install(requirements: Path, target: Path) -> None:
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    command = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-compile",
        "--no-deps",
        "--disable-pip-version-check",
    ]
    command += [
        "--python-version",
        version,
        *PLATFORM,
        "--target",
        str(target),
        "--requirement",
        str(requirements),
    ]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise CannotVendor(f"pip cannot install {requirements}:\n{result.stdout}{result.stderr}")


def _keep(data: Path, kept: Iterable[str]) -> None:
    """Remove the descriptions of other services, and those that newer versions replaced."""
    for entry in data.iterdir() if data.is_dir() else ():
        if entry.is_dir() and entry.name not in kept:
            shutil.rmtree(entry)
        elif entry.is_dir():
            versions = sorted(
                path.name for path in entry.iterdir() if re.fullmatch(r"\d{4}-\d\d-\d\d", path.name)
            )
            for old in versions[:-1]:
                shutil.rmtree(entry / old)


def _source() -> str:
    """Return this file's text: what it does to packages is part of the cache key."""
    return Path(__file__).read_text()
