"""Package the Chalice app as for AWS, and read what the package declares.

Chalice's configuration is made from the declarations (:mod:`infra.chalice`), in a copy of the
project. ``chalice package`` packages that copy, and the result is unpacked. It is cached by a hash
of its inputs, so that an unchanged tree starts at once. The local Lambda and gateway learn about
functions, routes and triggers only from the package.
"""

import compileall
import fcntl
import hashlib
import json
import os
import py_compile
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import IO, Any

from chalicelib.schedules import BadSchedule, Schedule
from infra import chalice
from infra.declared import DECLARED, Declared, Place
from infra.emulator.dynamodb.streams import StreamTrigger
from infra.emulator.errors import CannotStart
from infra.emulator.events.schedules import ScheduleTrigger
from infra.emulator.gateway.routes import RestRoute, RestRoutes, WebSocketRoutes
from infra.emulator.lambdas.function import Function
from infra.emulator.settings import TREE
from infra.local.place import local_place
from infra.local.settings import LocalSettings
from infra.vendored import CannotVendor, services
from infra.vendored import cache_folder as vendored_folder

PACKAGES_KEPT = 6
REST_FUNCTION = "APIHandler"


@dataclass(frozen=True, slots=True)
class RuleTrigger:
    """A function that gets the events that match a pattern."""

    pattern: Mapping[str, Any]
    function: str


@dataclass(frozen=True, slots=True)
class Package:
    """Everything that the package declares."""

    functions: Mapping[str, Function]
    rest: RestRoutes
    websockets: WebSocketRoutes
    streams: tuple[StreamTrigger, ...]
    rules: tuple[RuleTrigger, ...]
    schedules: tuple[ScheduleTrigger, ...]
    in_use: IO[bytes]
    """Held open while the functions run, so that their code is not removed."""


def cache_folder() -> Path:
    """Return the user's folder of earlier packages, which all data folders share."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "sheen" / "packages"


def make_package(
    project: Path, python: str, declared: Declared, place: Place, cache: Path
) -> Package:
    """Package ``project`` unless the cache has it, and read the package.

    Raise :class:`CannotStart` if the functions are not exactly the declared ones.
    """
    folder = cache / _hash_of(project, declared, place)
    cache.mkdir(parents=True, exist_ok=True)
    with _locked(cache / "lock"):
        if not (folder / "sam.json").exists():
            _run_chalice(project, python, declared, place, folder)
            _forget_old(cache)
        os.utime(folder)
        package = read_package(folder)
    check_declared(package.functions, declared, place)
    return package


def check_declared(functions: Iterable[str], declared: Declared, place: Place) -> None:
    """Raise :class:`CannotStart` if the functions are not exactly the declared ones."""
    has, should = (
        set(functions),
        {place.function_name(function.name) for function in declared.functions},
    )
    if has != should:
        undeclared, missing = (
            ", ".join(sorted(has - should)) or "none",
            ", ".join(sorted(should - has)) or "none",
        )
        raise CannotStart(
            "infra/declared/functions.py and app.py differ: only app.py has "
            f"{undeclared}; only declared are {missing}. "
            "Declare each function of app.py, with its rights, by its name"
        )


def read_package(folder: Path) -> Package:
    """Read an unpacked package."""
    template = json.loads((folder / "sam.json").read_text())
    resources: dict[str, dict[str, Any]] = template["Resources"]
    functions: dict[str, Function] = {}
    streams: list[StreamTrigger] = []
    rules: list[RuleTrigger] = []
    schedules: list[ScheduleTrigger] = []
    names: dict[str, str] = {}
    for resource_name, resource in resources.items():
        if resource["Type"] != "AWS::Serverless::Function":
            continue
        properties = resource["Properties"]
        name = names[resource_name] = _function_name(resource_name, properties)
        functions[name] = Function(
            name=name,
            handler=properties["Handler"],
            code=folder / "code",
            layers=((folder / "layer"),) if (folder / "layer").exists() else (),
            memory_mb=properties.get("MemorySize", 128),
            timeout_seconds=properties.get("Timeout", 60),
            environment={
                key: value
                for key, value in properties.get("Environment", {}).get("Variables", {}).items()
                if isinstance(value, str)
            },
            in_vpc="VpcConfig" in properties,
            reserved_concurrency=properties.get("ReservedConcurrentExecutions"),
        )
        for event in properties.get("Events", {}).values():
            match event["Type"]:
                case "DynamoDB":
                    trigger = event["Properties"]
                    filters = tuple(
                        json.loads(one["Pattern"])
                        for one in trigger.get("FilterCriteria", {}).get("Filters", ())
                    )
                    streams.append(
                        StreamTrigger(
                            _table_of(trigger["Stream"]),
                            name,
                            trigger.get("BatchSize", 100),
                            filters,
                            trigger.get("MaximumRetryAttempts", -1),
                            trigger.get("MaximumRecordAgeInSeconds", -1),
                            trigger.get("BisectBatchOnFunctionError", False),
                            "ReportBatchItemFailures" in trigger.get("FunctionResponseTypes", ()),
                        )
                    )
                case "CloudWatchEvent" | "EventBridgeRule":
                    rules.append(RuleTrigger(event["Properties"]["Pattern"], name))
                case "Schedule":
                    schedules.append(schedule_of(event["Properties"]["Schedule"], name))
                case "Api":
                    pass
                case other:
                    raise CannotStart(
                        f"function {name}: the local stack has no triggers of type {other}"
                    )
    return Package(
        functions=functions,
        rest=_rest_routes(resources, names),
        websockets=WebSocketRoutes(
            connect=names.get("WebsocketConnect", ""),
            message=names.get("WebsocketMessage", ""),
            disconnect=names.get("WebsocketDisconnect", ""),
        ),
        streams=tuple(streams),
        rules=tuple(rules),
        schedules=tuple(schedules),
        in_use=_mark_used(folder),
    )


def schedule_of(expression: str, function: str) -> ScheduleTrigger:
    """Return a function's schedule, ``rate(…)`` or ``cron(…)``.

    Raise :class:`CannotStart` for an expression that AWS refuses.
    """
    try:
        return ScheduleTrigger(function, Schedule.parse(expression).next_after)
    except BadSchedule as error:
        raise CannotStart(f"{function}: {error}") from None


def link_runtime(folder: Path) -> Path:
    """Make a folder with AWS's runtime client and its requirements.

    It offers nothing else of this installation.
    """
    import awslambdaric

    packages = Path(awslambdaric.__file__).parents[1]
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for pattern in ("awslambdaric", "snapshot_restore_py", "simplejson", "runtime_client*.so"):
        for found in packages.glob(pattern):
            (folder / found.name).symlink_to(found)
    return folder


def _function_name(resource_name: str, properties: Mapping[str, Any]) -> str:
    """Return the name that ``chalice deploy`` gives: app, stage, and the function's own name."""
    tag = dict(part.split("=", 1) for part in properties["Tags"]["aws-chalice"].split(":"))
    prefix = f"{tag['app']}-{tag['stage']}"
    if resource_name == REST_FUNCTION:
        return prefix
    return f"{prefix}-{re.sub(r'(?<!^)(?=[A-Z])', '_', resource_name).lower()}"


def _rest_routes(
    resources: Mapping[str, Mapping[str, Any]], names: Mapping[str, str]
) -> RestRoutes:
    for resource in resources.values():
        if resource["Type"] == "AWS::Serverless::Api":
            definition = resource["Properties"]["DefinitionBody"]
            routes = tuple(
                RestRoute(
                    path,
                    frozenset("ANY" if "any" in method else method.upper() for method in methods),
                    names[REST_FUNCTION],
                )
                for path, methods in definition["paths"].items()
            )
            return RestRoutes(
                routes,
                tuple(definition.get("x-amazon-apigateway-binary-media-types", ())),
                stage=resource["Properties"]["StageName"],
                minimum_compression=resource["Properties"].get("MinimumCompressionSize"),
            )
    return RestRoutes(())


def _table_of(stream: Any) -> str:
    """Return the table's name in a stream's ARN, whatever the stream's label."""
    found = re.search(r":table/([^/]+)", stream) if isinstance(stream, str) else None
    if found is None:
        raise CannotStart(
            f"a DynamoDB trigger names the stream {stream!r}: it must be an ARN, "
            "…:table/NAME/stream/LABEL"
        )
    return found[1]


def _hash_of(project: Path, declared: Declared, place: Place) -> str:
    digest = hashlib.sha256(
        (
            f"{sys.version} {version('chalice')} {sorted(_environment(declared, place).items())}"
        ).encode()
    )
    digest.update(
        (
            f"{sorted(services(declared, place))} {(TREE / 'infra' / 'vendored.py').read_text()}"
        ).encode()
    )
    for name, text in chalice.files(declared, place).items():
        digest.update(f"{name}\0{text}".encode())
    for path in sorted(project.rglob("*")):
        relative = path.relative_to(project)
        if path.is_dir() or "__pycache__" in relative.parts or relative.parts[0] == ".chalice":
            continue
        digest.update(f"{relative}\0{path.stat().st_size}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:24]


def _environment(declared: Declared, place: Place) -> Mapping[str, str]:
    """Return the variables that the app may read while it is imported."""
    return {**declared.function_environment(place, False), **declared.packaging_environment(place)}


def _run_chalice(
    project: Path, python: str, declared: Declared, place: Place, folder: Path
) -> None:
    with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
        out = Path(temporary) / "out"
        chalice_package(project, python, declared, place, out)
        _unpack(out, Path(temporary) / "unpacked", folder)


def chalice_package(
    project: Path, python: str, declared: Declared, place: Place, out: Path
) -> None:
    """Run ``chalice package``, which writes ``sam.json`` and its zip files into ``out``.

    Raise :class:`CannotStart` with its output.
    """
    inherited = {
        name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ
    }
    proxies = {
        name: value
        for name, value in os.environ.items()
        if name.startswith("PIP_") or "proxy" in name.lower()
    }
    with tempfile.TemporaryDirectory() as temporary:
        copy = Path(temporary) / "app"
        try:
            chalice.prepare(project, copy, declared, place, vendored_folder())
        except CannotVendor as error:
            raise CannotStart(str(error)) from None
        merged = ["--merge-template", str(chalice.EVENTS)]
        result = subprocess.run(
            [
                python,
                "-c",
                "import sys; from chalice.cli import main; sys.exit(main())",
                "package",
                "--stage",
                place.stage,
                *merged,
                str(out),
            ],
            cwd=copy,
            env={
                **inherited,
                **proxies,
                "AWS_DEFAULT_REGION": place.region,
                "AWS_ACCESS_KEY_ID": "packaging",
                "AWS_SECRET_ACCESS_KEY": "packaging",
                **_environment(declared, place),
            },
            capture_output=True,
            text=True,
            check=False,
        )
    if result.returncode != 0:
        raise CannotStart(f"chalice package of {project} failed:\n{result.stdout}{result.stderr}")


def _unpack(out: Path, unpacked: Path, folder: Path) -> None:
    """Unpack and compile the zip files, and move the result to its place in one step."""
    for archive, target in (("deployment.zip", "code"), ("layer-deployment.zip", "layer")):
        if (out / archive).exists():
            with zipfile.ZipFile(out / archive) as file:
                file.extractall(unpacked / target)
    compileall.compile_dir(
        unpacked,
        quiet=2,
        stripdir=str(unpacked),
        prependdir=str(folder),
        invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
    )
    (out / "sam.json").rename(unpacked / "sam.json")
    shutil.rmtree(folder, ignore_errors=True)
    unpacked.rename(folder)


def _forget_old(cache: Path) -> None:
    packages = sorted(
        (path for path in cache.iterdir() if path.is_dir()), key=lambda path: path.stat().st_mtime
    )
    for old in packages[:-PACKAGES_KEPT]:
        with _mark_used(old) as mark:
            try:
                fcntl.flock(mark, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue  # a stack runs its functions from there
            shutil.rmtree(old, ignore_errors=True)


def _mark_used(folder: Path) -> IO[bytes]:
    mark = (folder / "in-use").open("ab")
    fcntl.flock(mark, fcntl.LOCK_SH)
    return mark


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def main() -> None:
    """Package Sheen's own app for inspection: ``python -m infra.local.package FOLDER``."""
    out = Path(sys.argv[1]).absolute()
    chalice_package(
        TREE / "chalice_app", sys.executable, DECLARED, local_place(LocalSettings()), out
    )


if __name__ == "__main__":
    try:
        main()
    except CannotStart as error:
        sys.exit(str(error))
