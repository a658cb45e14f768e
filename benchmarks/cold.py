"""Cold starts: how long each function's module takes to be imported in a new process, and how large
the package is that it comes from.

Each import is a process as Lambda has it: only the package on the path, no site-packages, bytecode
from the package. The goal is held against the best of several, since whatever else the machine does
only adds to it; the processor time beside it hardly depends on that.
"""

import argparse
import json
import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from infra.declared import DECLARED
from infra.emulator.lambdas.environment import layer_paths
from infra.emulator.lambdas.function import Function
from infra.emulator.settings import TREE
from infra.local.package import cache_folder, chalice_package, make_package
from infra.local.place import local_place
from infra.local.settings import LocalSettings

IMPORT_MS = 300
PACKAGE_MB = 15
RESULTS = Path(".build/benchmarks/cold.json")
CHILD = """
import json, os, sys, time
sys.path[:0] = json.loads(sys.argv[1])
sys.dont_write_bytecode = True
before = set(sys.modules)
wall, cpu = time.perf_counter(), time.process_time()
module = __import__(sys.argv[2])
wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
getattr(module, sys.argv[3])
print(json.dumps({"wall_ms": wall * 1000, "cpu_ms": cpu * 1000, "modules": sorted(set(sys.modules) - before)}))
"""  # noqa: E501


def cold_import(function: Function) -> dict[str, Any]:
    """Import a function's module in a new process; return ``wall_ms``, ``cpu_ms`` and the names of
    the modules that came with it.
    """
    module, _, name = function.handler.partition(".")
    path = json.dumps([str(function.code), *layer_paths(function)])
    environment = {
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "PATH": "/usr/bin:/bin",
        **function.environment,
    }
    command = [sys.executable, "-I", "-S", "-X", "utf8", "-c", CHILD, path, module, name]
    said = subprocess.run(
        command, env=environment, cwd=function.code, capture_output=True, text=True, check=True
    ).stdout
    result: dict[str, Any] = json.loads(said)
    return result


def sizes(folder: Path) -> dict[str, float]:
    """Package as for AWS into ``folder``; return the size of each file that is uploaded, in MB."""
    chalice_package(
        TREE / "chalice_app", sys.executable, DECLARED, local_place(LocalSettings()), folder
    )
    return {path.name: round(path.stat().st_size / 1e6, 2) for path in sorted(folder.glob("*.zip"))}


async def run(options: Sequence[str]) -> None:
    """Measure, print and keep the numbers."""
    _measure(options)


def _measure(options: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks cold")
    parser.add_argument("--times", type=int, default=7, help="how often each function is imported")
    arguments = parser.parse_args(options)
    functions = make_package(
        TREE / "chalice_app", sys.executable, DECLARED, local_place(LocalSettings()), cache_folder()
    ).functions.values()
    results: dict[str, Any] = {"functions": {}, "package_mb": sizes(Path(".build/cold").absolute())}
    print(f"{'function':40} {'best ms':>8} {'median':>8} {'cpu':>8} {'modules':>8}")
    for function in functions:
        runs = [cold_import(function) for _ in range(arguments.times)]
        wall = [one["wall_ms"] for one in runs]
        line = {
            "best_ms": round(min(wall)),
            "median_ms": round(statistics.median(wall)),
            "cpu_ms": round(min(one["cpu_ms"] for one in runs)),
            "modules": len(runs[0]["modules"]),
        }
        results["functions"][function.name] = line
        print(
            f"{function.name:40} {line['best_ms']:8} {line['median_ms']:8} "
            f"{line['cpu_ms']:8} {line['modules']:8}"
        )
    total = sum(results["package_mb"].values())
    slowest = max(line["best_ms"] for line in results["functions"].values())
    print(
        f"package: {total:.1f} MB, {results['package_mb']}; goal: < {PACKAGE_MB} MB: "
        f"{'met' if total < PACKAGE_MB else 'missed'}"
    )
    print(
        f"slowest import: {slowest} ms; goal: < {IMPORT_MS} ms: "
        f"{'met' if slowest < IMPORT_MS else 'missed'}"
    )
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(json.dumps(results, indent=1))
