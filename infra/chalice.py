"""Make the project that Chalice deploys: ``python -m infra.chalice PLACE.json PROJECT``.

``PLACE.json`` holds the fields of :class:`infra.declared.Place`. ``PROJECT`` is a new folder. It
gets the app, what the app imports (:mod:`infra.vendored`), and these files in ``.chalice``:

* ``config.json``, with one stage. Functions use existing roles and Chalice makes none
  (``manage_iam_role`` is false). The stacks of ``infra/aws`` make the roles of functions, tasks
  and state machines alike from :meth:`infra.declared.Declared.roles`, so that the same
  permissions boundary, tags and checks hold for all of them. The local stack holds its
  components to the same statements.
* ``events.json``, for ``chalice package --merge-template``: settings of triggers that Chalice
  cannot express.
"""

import json
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from infra.bytecode import compile_folder
from infra.declared import DECLARED, TREE, Declared, FunctionDeclaration, Place
from infra.declared.names import camel
from infra.vendored import cache_folder, services, vendored

PROJECT = TREE / "chalice_app"
CONFIG = Path(".chalice/config.json")
EVENTS = Path(".chalice/events.json")


def configuration(declared: Declared, place: Place) -> dict[str, Any]:
    """Return ``config.json``."""
    smallest = declared.minimum_compression_bytes
    return {
        "version": "2.0",
        "app_name": place.app,
        "stages": {
            place.stage: {
                "api_gateway_stage": place.api_stage,
                "api_gateway_endpoint_type": "REGIONAL",
                "automatic_layer": True,
                "lambda_architecture": "x86_64",
                "xray": place.traced,
                "tags": place.tags,
                **({} if smallest is None else {"minimum_compression_size": smallest}),
                "manage_iam_role": False,
                "lambda_functions": {
                    function.name: _function(declared, place, function)
                    for function in declared.functions
                },
            }
        },
    }


def events(declared: Declared) -> dict[str, Any]:
    """Return ``events.json``, which is merged into the template that Chalice writes."""
    resources: dict[str, Any] = {}
    for function in declared.functions:
        if function.stream is not None:
            resource, source = camel(function.name), {"Properties": function.stream.parameters()}
            resources[resource] = {
                "Properties": {"Events": {f"{resource}DynamodbEventSource": source}}
            }
    return {"Resources": resources}


def files(declared: Declared, place: Place) -> dict[Path, str]:
    """Return all files to write, by their path in the project."""
    return {CONFIG: _json(configuration(declared, place)), EVENTS: _json(events(declared))}


def prepare(source: Path, project: Path, declared: Declared, place: Place, cache: Path) -> None:
    """Make ``project``, with all that Chalice packages or deploys of the app in ``source``.

    ``project`` must not exist yet. It gets the configuration, the packages that the functions
    import, and bytecode (:mod:`infra.vendored`). ``cache`` keeps packages and bytecode for the next
    time. Raise :class:`infra.vendored.CannotVendor`.
    """
    shutil.copytree(source, project, ignore=shutil.ignore_patterns("__pycache__", ".chalice"))
    fill(project, declared, place, cache)


def fill(project: Path, declared: Declared, place: Place, cache: Path) -> None:
    """Do the same with an existing copy of the app."""
    write(project, declared, place)
    requirements = project / "requirements.txt"
    if requirements.exists():
        shutil.rmtree(project / "vendor", ignore_errors=True)
        shutil.copytree(
            vendored(requirements, services(declared, place), cache), project / "vendor"
        )
        requirements.write_text("")
    if (project / "chalicelib").exists():
        compile_folder(project / "chalicelib")


def write(project: Path, declared: Declared, place: Place) -> None:
    """Write the files into a project."""
    for path, text in files(declared, place).items():
        (project / path).parent.mkdir(exist_ok=True)
        (project / path).write_text(text)


def _function(declared: Declared, place: Place, function: FunctionDeclaration) -> dict[str, Any]:
    settings: dict[str, Any] = {
        "iam_role_arn": place.role_arn(function.role),
        "lambda_timeout": function.timeout_seconds,
        "lambda_memory_size": function.memory_mb,
        "environment_variables": declared.environment_of(place, function),
        "xray": place.traced and function.traced,
    }
    if function.reserved is not None and place.reserves:
        settings["reserved_concurrency"] = function.reserved
    if function.in_vpc:
        settings["subnet_ids"] = list(place.function_subnets)
        settings["security_group_ids"] = [place.function_security_group]
    return settings


def _json(document: Mapping[str, Any]) -> str:
    return json.dumps(document, indent=2) + "\n"


def main(place: str, project: str) -> None:
    """Make the project of the deployment whose place is described in the file ``place``."""
    prepare(
        PROJECT,
        Path(project),
        DECLARED,
        Place(**json.loads(Path(place).read_text())),
        cache_folder(),
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
