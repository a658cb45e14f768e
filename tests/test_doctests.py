"""The examples in docstrings are true."""

import doctest
import importlib
from pathlib import Path

import pytest

TREE = Path(__file__).resolve().parents[1]
ROOTS = {"chalice_app": "chalicelib", "workers": "agent relay machine", ".": "infra sheen tasks"}


def modules_with_examples() -> list[str]:
    """Return the names of the modules that have examples."""
    found = []
    for root, packages in ROOTS.items():
        for package in packages.split():
            for path in sorted((TREE / root / package).rglob("*.py")):
                if ">>> " in path.read_text():
                    parts = path.relative_to(TREE / root).with_suffix("").parts
                    found.append(".".join(part for part in parts if part != "__init__"))
    return found


@pytest.mark.parametrize("name", modules_with_examples())
def test_examples_are_true(name: str) -> None:
    result = doctest.testmod(importlib.import_module(name))
    assert result.attempted > 0
    assert result.failed == 0
