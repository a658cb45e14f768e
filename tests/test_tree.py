"""What no file of the tree says: the host of a package registry, and what is deployed in the
emulator. How its pages are wrapped.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path

TREE = Path(__file__).resolve().parents[1]
REGISTRIES = re.compile(
    r"(deb|security|snapshot)\.debian\.org|pypi\.org|files\.pythonhosted\.org|registry\.npmjs\.org"
    r"|r-project\.org|cran\.rstudio\.com|p3m\.dev|package[m]anager\.(posit|rstudio)",
    re.IGNORECASE,
)
"""Hosts of registries. pip, npm, apt and R have their own, or the operator's setting names one."""
EMULATOR = TREE / "infra/emulator"


def files(root: Path) -> Iterator[Path]:
    """Yield the files below ``root`` that git does not ignore."""
    ignored = {
        line.removesuffix("/").rpartition("/")[2]
        for line in (TREE / ".gitignore").read_text().splitlines()
    }
    for folder, folders, names in os.walk(root):
        folders[:] = [
            name
            for name in folders
            if name not in ignored and name != ".git" and not name.endswith(".egg-info")
        ]
        yield from (Path(folder) / name for name in names if name != ".git")


def lines(root: Path, what: re.Pattern[str]) -> list[str]:
    """Return the lines below ``root`` that ``what`` is found in, each with its file and number."""
    return [
        f"{file.relative_to(TREE)}:{number}: {line.strip()}"
        for file in files(root)
        if not file.is_symlink()
        for number, line in enumerate(file.read_text(errors="replace").splitlines(), 1)
        if what.search(line)
    ]


def test_no_file_names_a_registrys_host() -> None:
    found = lines(TREE, REGISTRIES)
    assert not found, "name none, or one of example.org:\n" + "\n".join(found)


def test_the_emulator_does_not_say_what_is_deployed() -> None:
    found = lines(EMULATOR, re.compile("sheen|chalicelib", re.IGNORECASE))
    assert not found, "say it as AWS says it, or take it as an argument:\n" + "\n".join(found)


def test_a_registrys_host_would_be_found() -> None:
    assert REGISTRIES.search("https://files.python" + "hosted.org/x")
    assert any(file == Path(__file__).resolve() for file in files(TREE))


def long_lines(page: Path) -> Iterator[str]:
    """Yield the lines of a page over 100 columns, outside of tables, code and lone links."""
    code = False
    for number, line in enumerate(page.read_text().splitlines(), 1):
        fence = line.lstrip().startswith("```")
        code ^= fence
        alone = " " not in line.strip().lstrip("-*> ")
        if len(line) > 100 and not (code or fence or line.lstrip().startswith("|") or alone):
            yield f"{page.relative_to(TREE)}:{number}: {line[:60]}…"


def test_pages_are_wrapped_at_100_columns() -> None:
    pages = [
        file
        for file in files(TREE)
        if file.suffix == ".md" and file.name != "CHANGELOG.md" and not file.is_symlink()
    ]
    assert len(pages) > 10
    found = [line for page in pages for line in long_lines(page)]
    assert not found, "wrap these lines at 100 columns:\n" + "\n".join(found)
