"""A small CRAN-like repository, made by code and served on loopback: real source packages for ``R
CMD INSTALL``.
"""

import gzip
import hashlib
import io
import tarfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class SourcePackage:
    """One source package. ``r`` is its R code; every function in it is exported."""

    name: str
    version: str
    r: str = ""
    fields: Mapping[str, str] = field(default_factory=dict)
    """More of its DESCRIPTION: Imports, LinkingTo…"""
    namespace: str = ""
    files: Mapping[str, str] = field(default_factory=dict)
    """More files: ``src/answer.c``; those that begin with ``#!`` may be executed."""

    @property
    def archive(self) -> str:
        return f"{self.name}_{self.version}.tar.gz"

    @property
    def description(self) -> str:
        fields = {
            "Package": self.name,
            "Version": self.version,
            "Title": "A Package of the Tests",
            "Description": "Nothing that anyone needs.",
            "Author": "Sheen",
            "Maintainer": "Sheen <sheen@example.org>",
            "License": "Apache License 2.0",
            "Repository": "CRAN",
            **self.fields,
        }
        return "".join(f"{name}: {value}\n" for name, value in fields.items())

    def pack(self) -> bytes:
        """Return the tar.gz, the same bytes each time."""
        files = {
            "DESCRIPTION": self.description,
            "NAMESPACE": self.namespace or 'exportPattern("^[[:alpha:]]+")\n',
            f"R/{self.name}.R": self.r,
            **self.files,
        }
        plain = io.BytesIO()
        with tarfile.open(fileobj=plain, mode="w") as archive:
            for path, text in files.items():
                entry = tarfile.TarInfo(f"{self.name}/{path}")
                entry.size = len(text.encode())
                entry.mode = 0o755 if text.startswith("#!") else 0o644
                archive.addfile(entry, io.BytesIO(text.encode()))
        return gzip.compress(plain.getvalue(), mtime=0)


ANSWER_C = """\
#include <R.h>
#include <Rinternals.h>
#include <R_ext/Rdynload.h>
#include <%s.h>
SEXP answer(void) { return ScalarInteger(ANSWER); }
static const R_CallMethodDef calls[] = {{"answer", (DL_FUNC) &answer, 0}, {NULL, NULL, 0}};
void R_init_%s(DllInfo *dll) { R_registerRoutines(dll, NULL, calls, NULL, NULL); R_useDynamicSymbols(dll, FALSE); }
"""  # noqa: E501


def headers(version: str, answer: int) -> SourcePackage:
    """A package whose header others compile in."""
    return SourcePackage(
        "headers", version, files={"inst/include/headers.h": f"#define ANSWER {answer}\n"}
    )


COMPILED = SourcePackage(
    "compiled",
    "1.0",
    r='compiled_answer <- function() .Call("answer", PACKAGE = "compiled")',
    fields={"LinkingTo": "headers"},
    namespace="useDynLib(compiled)\nexport(compiled_answer)\n",
    files={"src/answer.c": ANSWER_C % ("headers", "compiled")},
)
"""It has C code, with the header of another package in it."""

GREETING_1 = SourcePackage("greeting", "1.0", r='greet <- function() "greeting 1.0"')
GREETING_2 = SourcePackage("greeting", "2.0", r='greet <- function() "greeting 2.0"')
POLITE = SourcePackage(
    "polite",
    "0.3-1",
    r='bow <- function() paste("polite", greet())',
    fields={"Imports": "greeting (>= 1.0), tools"},
    namespace="import(greeting)\nexport(bow)\n",
)
BROKEN = SourcePackage(
    "broken",
    "1.0",
    namespace="useDynLib(broken)\n",
    files={"src/broken.c": "#error the library that this needs is not here\n"},
)

CURRENT = (headers("1.1", 42), COMPILED, GREETING_2, POLITE, BROKEN)
ARCHIVED = (headers("1.0", 41), GREETING_1)


class Cran:
    """A repository in a folder, as it is served."""

    def __init__(self, folder: Path, url: str, requests: list[str]) -> None:
        self.folder = folder
        self.url = url
        self.requests = requests
        """Paths that were asked for, oldest first."""
        self.cut: dict[str, str] = {}
        """Paths whose next answer breaks off half way: sent with its length (``length``), or in
        chunks (``chunked``).
        """
        self._current: dict[str, SourcePackage] = {}

    @property
    def contrib(self) -> Path:
        return self.folder / "src" / "contrib"

    def add(self, package: SourcePackage, *, archived: bool = False) -> bytes:
        """Put a package in, among the current or the old ones; return its source."""
        folder = self.contrib / "Archive" / package.name if archived else self.contrib
        folder.mkdir(parents=True, exist_ok=True)
        data = package.pack()
        (folder / package.archive).write_bytes(data)
        if not archived:
            self._current[package.name] = package
        self.write_index()
        return data

    def write_index(self) -> None:
        """Write PACKAGES and PACKAGES.gz as ``tools::write_PACKAGES`` does."""
        records = []
        for package in self._current.values():
            md5 = hashlib.md5(
                (self.contrib / package.archive).read_bytes(), usedforsecurity=False
            ).hexdigest()
            wanted = ("Package", "Version", "Depends", "Imports", "LinkingTo", "License")
            lines = [
                line for line in package.description.splitlines() if line.split(":")[0] in wanted
            ]
            records.append("\n".join([*lines, f"MD5sum: {md5}", "NeedsCompilation: no"]))
        text = "\n\n".join(records) + "\n"
        (self.contrib / "PACKAGES").write_text(text)
        (self.contrib / "PACKAGES.gz").write_bytes(gzip.compress(text.encode()))


@contextmanager
def cran(folder: Path, *, filled: bool = True) -> Iterator[Cran]:
    """Serve a repository out of ``folder``, with :data:`CURRENT` and :data:`ARCHIVED` in it if
    ``filled``.
    """
    requests: list[str] = []

    class Handler(SimpleHTTPRequestHandler):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments, directory=str(folder))

        def do_GET(self) -> None:
            how = repository.cut.pop(self.path, None)
            if how is None:
                super().do_GET()
                return
            data = (folder / self.path.lstrip("/")).read_bytes()
            half = data[: len(data) // 2]
            self.protocol_version = "HTTP/1.1"
            self.send_response(200)
            if how == "chunked":
                self.send_header("Transfer-Encoding", "chunked")
                half = b"%x\r\n" % len(data) + half
            else:
                self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(half)
            self.close_connection = True

        def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
            requests.append(self.path)

        def log_message(self, format: str, *args: Any) -> None:
            """Nowhere."""

    (folder / "src" / "contrib").mkdir(parents=True, exist_ok=True)
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        repository = Cran(folder, f"http://127.0.0.1:{server.server_port}", requests)
        repository.write_index()
        if filled:
            for package in CURRENT:
                repository.add(package)
            for package in ARCHIVED:
                repository.add(package, archived=True)
        yield repository
        server.shutdown()


def renv_lock(*packages: tuple[str, str], repository: str = "", url: str = "") -> dict[str, Any]:
    """Return a lock file as renv writes it."""
    return {
        "R": {"Version": "4.2.2", "Repositories": [{"Name": "CRAN", "URL": url}] if url else []},
        "Packages": {
            name: {
                "Package": name,
                "Version": version,
                "Source": "Repository",
                "Repository": repository or "CRAN",
            }
            for name, version in packages
        },
    }
