"""The tree of errors in the documentation is the tree of errors."""

import ast
import re
from pathlib import Path

import chalicelib.errors

TREE = Path(__file__).resolve().parents[2]
PACKAGES = ("chalice_app/chalicelib", "infra", "sheen", "tasks", "workers")


def bases_of_classes() -> dict[str, set[str]]:
    """Return each class of the source with the names of the classes that it is made of."""
    found: dict[str, set[str]] = {}
    for package in PACKAGES:
        for path in (TREE / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.ClassDef):
                    bases = {ast.unparse(base).rpartition(".")[2] for base in node.bases}
                    found.setdefault(node.name, set()).update(bases)
    return found


def test_the_documented_tree_has_every_error_and_no_other() -> None:
    classes = bases_of_classes()
    errors = {"SheenError"}
    while more := {name for name, bases in classes.items() if bases & errors} - errors:
        errors |= more
    lines = (chalicelib.errors.__doc__ or "").splitlines()
    drawn = " ".join(line for line in lines if line.startswith("    "))
    assert set(re.findall(r"\b[A-Z]\w+", drawn)) == errors
