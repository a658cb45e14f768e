"""What is an app, and what is told to whom has none."""

import pytest

from chalicelib.bundles.errors import BadBundle
from chalicelib.bundles.kind import Kind, Shape, shape_of


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
    assert shape_of(paths, "b.zip") == shape


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
        shape_of(paths, "b.zip")
