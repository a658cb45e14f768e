"""What is an app, and what is told to whom has none."""

import json

import pytest

from chalicelib.kinds.recognition import Kind, Shape, shape_of
from chalicelib.publishing.errors import BadBundle


def EMPTY(path: str) -> bytes:  # noqa: N802
    """Files without anything in them."""
    return b""


@pytest.mark.parametrize(
    ("paths", "shape"),
    [
        (["app.R"], Shape(Kind.APP_R, "")),
        (["app.r", "data/x.csv"], Shape(Kind.APP_R, "")),
        (["hello/app.R", "hello/www/x.png"], Shape(Kind.APP_R, "hello")),
        (["server.R", "ui.R"], Shape(Kind.SERVER_R, "")),
        (["server.R", "www/index.html"], Shape(Kind.SERVER_R, "")),
        (["x/server.R", "x/ui.R"], Shape(Kind.SERVER_R, "x")),
        (["app.R", "server.R"], Shape(Kind.APP_R, "")),
    ],
)
def test_an_app_is_found(paths: list[str], shape: Shape) -> None:
    assert shape_of(paths, "b.zip", EMPTY) == shape


@pytest.mark.parametrize(
    ("paths", "why"),
    [
        ([], "it is empty"),
        (["readme.md"], "no app is in it"),
        (["server.R"], "no ui.R or www/index.html beside it"),
        (["x/server.R"], "x/server.R has no ui.R"),
        (["a/app.R", "b/app.R"], 'it was found at "a/app.R": pack that folder'),
        (["a/b/app.R"], "pack that folder"),
    ],
)
def test_no_app_is_told_why(paths: list[str], why: str) -> None:
    with pytest.raises(BadBundle, match=why):
        shape_of(paths, "b.zip", EMPTY)


SHINY = b"from shiny import App, ui\n"


def bundle(files: dict[str, bytes]) -> Shape:
    return shape_of(files, "b.zip", files.__getitem__)


def manifest(**metadata: str) -> bytes:
    return json.dumps({"metadata": metadata}).encode()


@pytest.mark.parametrize(
    ("files", "shape"),
    [
        ({"app.py": SHINY}, Shape(Kind.APP_PY, "")),
        ({"x/app.py": SHINY, "x/requirements.txt": b""}, Shape(Kind.APP_PY, "x")),
        ({"app.py": SHINY, "app.R": b""}, Shape(Kind.APP_R, "")),
        (
            {"app.py": SHINY, "app.R": b"", "manifest.json": manifest(appmode="python-shiny")},
            Shape(Kind.APP_PY, ""),
        ),
        (
            {
                "main.py": b"",
                "manifest.json": manifest(appmode="python-shiny", entrypoint="main:here"),
            },
            Shape(Kind.APP_PY, ""),
        ),
        (
            {"a/b.py": b"", "manifest.json": manifest(appmode="python-shiny", entrypoint="a.b")},
            Shape(Kind.APP_PY, ""),
        ),
        (
            {
                "a/__init__.py": b"",
                "manifest.json": manifest(appmode="python-shiny", entrypoint="a:app"),
            },
            Shape(Kind.APP_PY, ""),
        ),
        (
            {
                "my_app.py": b"",
                "manifest.json": manifest(
                    appmode="python-shiny", entrypoint="shiny.express.app:my_5f_app_2e_py"
                ),
            },
            Shape(Kind.APP_PY, ""),
        ),
        (
            {"app.R": b"", "app.py": SHINY, "manifest.json": manifest(appmode="shiny")},
            Shape(Kind.APP_R, ""),
        ),
        ({"app.py": SHINY, "manifest.json": b'{"name": "web app"}'}, Shape(Kind.APP_PY, "")),
    ],
)
def test_an_app_in_python_is_found_by_its_manifest_or_by_what_it_imports(
    files: dict[str, bytes], shape: Shape
) -> None:
    assert bundle(files) == shape


@pytest.mark.parametrize(
    ("files", "why"),
    [
        (
            {"app.py": b"import flask\n"},
            "app.py makes it a Python app that is not Shiny's, which Sheen does not serve yet",
        ),
        (
            {"app.py": b"import shiny_server\nfrom shinyswatch import theme\n# import shiny\n"},
            "a Python app that is not Shiny's",
        ),
        (
            {
                "app.py": b"",
                "manifest.json": manifest(appmode="python-shiny", entrypoint="main:app"),
            },
            "there is no main.py or main/__init__.py",
        ),
        (
            {
                "app.py": b"",
                "manifest.json": manifest(appmode="python-shiny", entrypoint="../x:app"),
            },
            "it must be like app:app",
        ),
        (
            {
                "app.py": b"",
                "manifest.json": manifest(appmode="python-shiny", entrypoint="app:app()"),
            },
            "it must be like app:app",
        ),
        (
            {
                "app.py": b"",
                "manifest.json": manifest(
                    appmode="python-shiny", entrypoint="shiny.express.app:_2f_etc"
                ),
            },
            "there is no /etc",
        ),
    ],
)
def test_what_is_no_app_in_python_is_told_why(files: dict[str, bytes], why: str) -> None:
    with pytest.raises(BadBundle, match=why):
        bundle(files)


@pytest.mark.parametrize(
    "source",
    [
        "import shiny",
        "import numpy as np, shiny",
        "import shiny.ui as ui",
        "from shiny import App",
        "from shiny.express import ui",
        "x = 1\n  from shiny import ui",
    ],
)
def test_each_way_to_import_shiny_is_seen(source: str) -> None:
    assert bundle({"app.py": source.encode()}).kind is Kind.APP_PY


def test_a_line_of_any_length_is_looked_at_quickly() -> None:
    with pytest.raises(BadBundle):
        bundle(
            {
                "app.py": (b"import " + b"a, " * 100_000 + b"\n")
                + (b"import " + b"a, " * 300 + b"\n") * 100
            }
        )
