"""What is in a folder of a configuration, by its files' names."""

import pytest

from chalicelib.kinds import folder


def found(names: set[str], **sources: str) -> tuple[str, str]:
    files = {name.replace("__", "."): text for name, text in sources.items()}
    kind = folder.kind_of(names, lambda name: files.get(name, "").encode())
    assert not isinstance(kind, str), kind
    return kind.kind.name, kind.entrypoint


def test_files_decide_as_for_shiny_server() -> None:
    assert found({"App.R", "app.py"}, app__py="import shiny") == ("shiny-r", "")
    assert found({"server.R", "www", "www/index.html"}) == ("shiny-r", "")
    assert found({"app.py", "x.Rmd"}, app__py="from shiny import App") == (
        "shiny-python",
        "app:app",
    )


@pytest.mark.parametrize(
    ("names", "why"),
    [
        (set[str](), "No app is in it"),
        ({"server.R"}, "server.R has no ui.R"),
        ({"app.py"}, "app.py makes it a Python app that is not Shiny's"),
    ],
)
def test_what_is_not_served_is_said(names: set[str], why: str) -> None:
    said = folder.kind_of(names, lambda name: b"{")
    assert isinstance(said, str)
    assert why in said
