"""Each word names one thing: no two public classes of the same name."""

import ast
import functools
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

TREE = Path(__file__).resolve().parents[1]
PACKAGES = ("chalice_app/chalicelib", "infra", "sheen", "tasks", "workers")
CONF = "chalice_app/chalicelib/configuration/shiny_server_conf"
_LANGUAGE = "in shiny_server_conf, a word of the file's own language"
SHARED: Mapping[str, str] = {
    "Answer": _LANGUAGE,
    "Block": _LANGUAGE,
    "Forbidden": _LANGUAGE,
    "Kind": _LANGUAGE,
    "Layer": _LANGUAGE,
    "Location": _LANGUAGE,
    "NotFound": _LANGUAGE,
    "Scope": _LANGUAGE,
    "Tree": _LANGUAGE,
    "Verdict": _LANGUAGE,
}
"""Names that two classes may have, and why."""


def classes(root: Path) -> Iterator[tuple[str, Path]]:
    """Yield the public classes of the modules below ``root``, each with its file."""
    for file in sorted(root.rglob("*.py")):
        for node in ast.parse(file.read_text()).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                yield node.name, file


@functools.cache
def owners() -> Mapping[str, list[str]]:
    found: defaultdict[str, list[str]] = defaultdict(list)
    for package in PACKAGES:
        for name, file in classes(TREE / package):
            found[name].append(str(file.relative_to(TREE)))
    return found


def test_no_two_classes_have_the_same_name() -> None:
    twice = {name: at for name, at in owners().items() if len(at) > 1 and name not in SHARED}
    assert not twice, "give one of them a name that says what it is:\n" + "\n".join(
        f"{name}: {', '.join(at)}" for name, at in twice.items()
    )


def test_what_may_be_shared_is_shared() -> None:
    alone = [name for name in SHARED if len(owners()[name]) < 2]
    assert not alone, f"no second class has this name any more; remove it from SHARED: {alone}"


def test_a_word_of_a_files_language_stays_in_its_room() -> None:
    for name, why in SHARED.items():
        if why == _LANGUAGE:
            outside = [at for at in owners()[name] if not at.startswith(CONF)]
            assert len(outside) <= 1, f"{name}: {', '.join(outside)}"
