"""A test stands alone: what several tests share is in a module of its own."""

import ast
from collections.abc import Iterator
from pathlib import Path

TREE = Path(__file__).resolve().parents[1]
FOLDERS = ("tests", "benchmarks")
TESTS = {path.stem for path in (TREE / "tests").rglob("test_*.py")} | {"conftest"}


def imported(path: Path) -> Iterator[str]:
    """Yield the modules that a file imports, and the names that it takes from them."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def is_test(module: str) -> bool:
    """Return whether a module, or a name in one, is part of a test file or a conftest."""
    parts = module.split(".")
    return parts[0] == "tests" and bool(TESTS.intersection(parts[1:]))


def test_nothing_imports_a_test_or_a_conftest() -> None:
    wrong = [
        f"{path.relative_to(TREE)}: {module}"
        for folder in FOLDERS
        for path in sorted((TREE / folder).rglob("*.py"))
        for module in imported(path)
        if is_test(module)
    ]
    assert not wrong, "move what is shared into a module that is no test"


def test_what_all_tests_share_imports_nothing_of_a_single_part() -> None:
    wrong = [
        f"{path.relative_to(TREE)}: {module}"
        for path in sorted((TREE / "tests" / "support").rglob("*.py"))
        for module in imported(path)
        if module.startswith("tests.") and not module.startswith("tests.support")
    ]
    assert not wrong, "tests/support is for all tests"
