"""What is an app, and what is told to whom has none."""

import contextlib
import json

import pytest

from chalicelib.kinds import shiny_python, shiny_r
from chalicelib.kinds.recognition import Shape, check_manifest, shape_of
from chalicelib.publishing.errors import BadBundle

R, PYTHON = shiny_r.KIND, shiny_python.KIND


def EMPTY(path: str) -> bytes:  # noqa: N802
    """Files without anything in them."""
    return b""


@pytest.mark.parametrize(
    ("paths", "shape"),
    [
        (["app.R"], Shape(R, "", "")),
        (["app.r", "data/x.csv"], Shape(R, "", "")),
        (["hello/app.R", "hello/www/x.png"], Shape(R, "", "hello")),
        (["server.R", "ui.R"], Shape(R, "", "")),
        (["server.R", "www/index.html"], Shape(R, "", "")),
        (["x/server.R", "x/ui.R"], Shape(R, "", "x")),
        (["app.R", "server.R"], Shape(R, "", "")),
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
        ({"app.py": SHINY}, Shape(PYTHON, "app:app", "")),
        ({"x/app.py": SHINY, "x/requirements.txt": b""}, Shape(PYTHON, "app:app", "x")),
        ({"app.py": SHINY, "app.R": b""}, Shape(R, "", "")),
        (
            {"app.py": SHINY, "app.R": b"", "manifest.json": manifest(appmode="python-shiny")},
            Shape(PYTHON, "app:app", ""),
        ),
        (
            {
                "main.py": b"",
                "manifest.json": manifest(appmode="python-shiny", entrypoint="main:here"),
            },
            Shape(PYTHON, "main:here", ""),
        ),
        (
            {"a/b.py": b"", "manifest.json": manifest(appmode="python-shiny", entrypoint="a.b")},
            Shape(PYTHON, "a.b:app", ""),
        ),
        (
            {
                "a/__init__.py": b"",
                "manifest.json": manifest(appmode="python-shiny", entrypoint="a:app"),
            },
            Shape(PYTHON, "a:app", ""),
        ),
        (
            {
                "my_app.py": b"",
                "manifest.json": manifest(
                    appmode="python-shiny", entrypoint="shiny.express.app:my_5f_app_2e_py"
                ),
            },
            Shape(PYTHON, "shiny.express.app:my_5f_app_2e_py", ""),
        ),
        (
            {"app.R": b"", "app.py": SHINY, "manifest.json": manifest(appmode="shiny")},
            Shape(R, "", ""),
        ),
        ({"app.py": SHINY, "manifest.json": b'{"name": "web app"}'}, Shape(PYTHON, "app:app", "")),
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
    assert bundle({"app.py": source.encode()}).kind is PYTHON


def test_a_line_of_any_length_is_looked_at_quickly() -> None:
    with pytest.raises(BadBundle):
        bundle(
            {
                "app.py": (b"import " + b"a, " * 100_000 + b"\n")
                + (b"import " + b"a, " * 300 + b"\n") * 100
            }
        )


@pytest.mark.parametrize(
    ("paths", "found"),
    [
        (["app.R", "manifest.json"], "manifest.json"),
        (["app/app.R", "app/manifest.json"], "app/manifest.json"),
        (["app.R", "www/manifest.json"], None),
        (["app.R", "other/x", "app/manifest.json"], None),
        ([], None),
    ],
)
def test_a_manifest_is_beside_the_app(paths: list[str], found: str | None) -> None:
    bundle = dict.fromkeys(paths, b"") | ({found: manifest(appmode="new")} if found else {})
    with pytest.raises(BadBundle) if found else contextlib.nullcontext():
        check_manifest(bundle, "b.zip", bundle.__getitem__)


@pytest.mark.parametrize(
    "text",
    [
        '{"metadata": {"appmode": "shiny"}}',
        '{"metadata": {"appmode": "python-shiny"}}',
        "{}",
        "no json",
        '{"name": "web app"}',
        '{"metadata": {"appmode": 3}}',
    ],
)
def test_an_app_of_shiny_and_what_is_not_rsconnects_passes(text: str) -> None:
    check_manifest(["manifest.json"], "x.zip", lambda path: text.encode())


@pytest.mark.parametrize(
    ("appmode", "what"),
    [
        ("python-dash", "a Dash app"),
        ("quarto-static", "a Quarto document"),
        ("new", "something else"),
    ],
)
def test_what_is_not_served_is_refused_by_its_name(appmode: str, what: str) -> None:
    with pytest.raises(
        BadBundle,
        match=f'bundle x.zip: manifest.json says that it is {what} ."appmode": "{appmode}".',
    ):
        check_manifest(["manifest.json"], "x.zip", lambda path: manifest(appmode=appmode))


def test_a_refusal_of_one_kind_gives_way_to_another_that_recognises_the_files() -> None:
    assert bundle({"ui.R": b"", "app.py": SHINY}).kind is PYTHON
    with pytest.raises(BadBundle, match=r"ui\.R has no server\.R beside it"):
        bundle({"ui.R": b"", "app.py": b"import flask"})
