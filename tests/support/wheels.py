"""An index of Python packages on loopback, with small wheels in it."""

import base64
import hashlib
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


@dataclass
class Index:
    """What is served out of ``folder``: ``simple/<name>/``."""

    folder: Path
    url: str

    def add(self, name: str, version: str, source: str, needs: tuple[str, ...] = ()) -> str:
        """Add a package of one module; return the wheel's hash."""
        folder = self.folder / "simple" / name
        folder.mkdir(parents=True, exist_ok=True)
        wheel = folder / f"{name}-{version}-py3-none-any.whl"
        about = f"{name}-{version}.dist-info"
        files = {
            f"{name}/__init__.py": source,
            f"{about}/METADATA": "".join(
                [
                    f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
                    *(f"Requires-Dist: {need}\n" for need in needs),
                ]
            ),
            f"{about}/WHEEL": (
                "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
            ),
        }
        record = (
            "".join(f"{path},{_record(text)},{len(text)}\n" for path, text in files.items())
            + f"{about}/RECORD,,\n"
        )
        with zipfile.ZipFile(wheel, "w") as archive:
            for path, text in {**files, f"{about}/RECORD": record}.items():
                archive.writestr(path, text)
        digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
        links = [f'<a href="{each.name}">{each.name}</a>' for each in sorted(folder.glob("*.whl"))]
        (folder / "index.html").write_text(
            "<!DOCTYPE html><html><body>" + "\n".join(links) + "</body></html>"
        )
        return f"sha256:{digest}"


def _record(text: str) -> str:
    return (
        "sha256="
        + base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
    )


@contextmanager
def index(folder: Path) -> Iterator[Index]:
    """Serve an index out of ``folder``."""

    class Handler(SimpleHTTPRequestHandler):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments, directory=str(folder))

        def log_message(self, format: str, *args: Any) -> None:
            """Nowhere."""

    folder.mkdir(parents=True, exist_ok=True)
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield Index(folder, f"http://127.0.0.1:{server.server_port}/simple")
        server.shutdown()
