"""What a browser gets of a page's files: compressed when it likes that, and the same bytes in the
end.
"""

import gzip
from pathlib import Path

import pytest

from tests.support.apps import app
from tests.support.stack import StackProcess

pytestmark = pytest.mark.stack

SHOWS = (
    "library(shiny)\nshinyApp(fluidPage(tags$link(rel = 'stylesheet', href = 'big.css')), "
    "function(input, output) NULL)\n"
)
CSS = ".a { color: black }\n" * 500
PACKED = gzip.compress(CSS.encode(), mtime=0)


def test_files_of_a_page_are_compressed_once_and_for_who_asks(
    stack: StackProcess, tmp_path: Path
) -> None:
    folder = app(tmp_path / "css", SHOWS)
    (folder / "www").mkdir()
    (folder / "www" / "big.css").write_text(CSS)
    (folder / "www" / "small.js").write_text("var a = 1;\n")
    (folder / "www" / "big.csv.gz").write_bytes(PACKED)
    stack.publish(folder, "/compressed")
    stack.wake("/compressed/")

    def got(name: str, accept: str) -> tuple[str | None, bytes]:
        answer = stack.get(f"/compressed/{name}", {"accept-encoding": accept})
        assert answer.status == 200
        return answer.headers.get("content-encoding"), answer.body

    coding, sent = got("big.css", "gzip, deflate, br, zstd")
    assert coding == "gzip" and gzip.decompress(sent) == CSS.encode() and len(sent) < len(CSS) / 10
    assert got("big.css", "identity") == (None, CSS.encode())
    assert got("small.js", "gzip") == (None, b"var a = 1;\n")
    coding, sent = got("big.csv.gz", "identity")
    assert (coding, sent) == (None, PACKED), "a file that is an archive stays one"
