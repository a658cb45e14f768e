"""The tree of errors in the documentation is the tree of errors."""

import ast
import re
from pathlib import Path

import pytest

import chalicelib.errors
from agent import failure
from chalicelib.agents.errors import AgentGone, AgentSilent
from chalicelib.errors import SheenError

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


CLASSES = bases_of_classes()
DRAWN = [line for line in (chalicelib.errors.__doc__ or "").splitlines() if line.startswith("    ")]
FAMILY = re.compile(r" {4}[├└]── ([A-Z]\w+) \((\d+), (\d+)\)")


def below(name: str) -> set[str]:
    """Return the names of the classes that are made of one, directly or not, and its own."""
    found = {name}
    while more := {each for each, bases in CLASSES.items() if bases & found} - found:
        found |= more
    return found


def drawn_below() -> dict[str, set[str]]:
    """Return what is drawn below each family."""
    found: dict[str, set[str]] = {}
    family = ""
    for line in DRAWN:
        if head := FAMILY.match(line):
            family = head[1]
        elif family:
            found.setdefault(family, set()).update(re.findall(r"\b[A-Z]\w+", line))
    return found


def test_the_documented_tree_has_every_error_and_no_other() -> None:
    assert set(re.findall(r"\b[A-Z]\w+", " ".join(DRAWN))) == below("SheenError")


@pytest.mark.parametrize(("family", "drawn"), drawn_below().items(), ids=drawn_below())
def test_what_is_drawn_below_a_family_belongs_to_it_and_nothing_else(
    family: str, drawn: set[str]
) -> None:
    assert drawn == below(family) - {family}


@pytest.mark.parametrize("line", [line for line in DRAWN if FAMILY.match(line)], ids=str.strip)
def test_a_family_is_answered_as_drawn(line: str) -> None:
    head = FAMILY.match(line)
    assert head is not None
    family = getattr(chalicelib.errors, head[1])
    assert (family.status, family.exit_status) == (int(head[2]), int(head[3]))


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (AgentGone, 503),
        (AgentSilent, 504),
        (failure.WorkerExited, 503),
        (failure.WorkerGone, 410),
        (failure.AppStartFailed, 500),
    ],
)
def test_the_first_of_two_families_gives_the_status(error: type[SheenError], status: int) -> None:
    assert error.status == status
