"""Find what cannot work in an app's Python files, without running any of them.

The argument is a mark. Three files hold lists: ``run`` has the files of which one is the app,
``others`` the other files, and ``beside`` the names beside the app. Imported modules are looked for
among these names and in this Python's own path. A finding is a line in the format of ``check.R``.
"""

import ast
import importlib.machinery
import sys
from pathlib import Path


def main(mark: str) -> None:
    """Print the findings."""

    def say(kind: str, file: str = "", line: int = 0, text: str = "") -> None:
        words = (
            mark,
            kind,
            file,
            str(line),
            text.replace("\t", " ").replace("\r", " ").replace("\n", "\\n"),
        )
        print("\t".join(words), flush=True)  # noqa: T201  (what it is for)

    beside = {name.partition(".")[0] for name in Path("beside").read_text().splitlines()}
    elsewhere = any(b"sys.path" in path.read_bytes() for path in Path("app").rglob("*.py"))
    for kind, name in (("refuse", "run"), ("doubt", "others")):
        for file in Path(name).read_text().splitlines():
            path = Path("app", file)
            try:
                tree = ast.parse(path.read_bytes(), file)
                compile(tree, file, "exec", dont_inherit=True)
            except (SyntaxError, ValueError) as error:
                line = getattr(error, "lineno", None) or 0
                code = (getattr(error, "text", None) or "").rstrip()
                say(
                    kind,
                    file,
                    line,
                    f"{type(error).__name__}: {getattr(error, 'msg', error)}"
                    + (f"\n  {code}" if code else ""),
                )
                continue
            except (RecursionError, MemoryError):
                say("doubt", file, 0, "it could not be looked through: it is too deep")
                continue
            for statement in tree.body:
                for module in imported(statement):
                    if module not in beside and not is_there(module):
                        say(
                            "doubt" if elsewhere else kind,
                            file,
                            statement.lineno,
                            f"ModuleNotFoundError: No module named {module!r}",
                        )
    say("done")


def imported(statement: ast.stmt) -> list[str]:
    """Return the modules that a statement at a file's top always imports."""
    match statement:
        case ast.Import(names):
            return [name.name.partition(".")[0] for name in names]
        case ast.ImportFrom(module=str(module), level=0):
            return [module.partition(".")[0]]
    return []


def is_there(module: str) -> bool:
    """Return whether a module can be found, without importing anything."""
    if module in sys.builtin_module_names or module in sys.stdlib_module_names:
        return True
    return importlib.machinery.PathFinder.find_spec(module, sys.path) is not None


if __name__ == "__main__":
    main(sys.argv[1])
