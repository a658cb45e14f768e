"""What a manifest says that its bundle is."""

import json

import pytest

from chalicelib.publishing.errors import BadBundle
from tasks import rsconnect


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
    assert rsconnect.manifest_in(paths) == found


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
    rsconnect.check(text.encode(), "x.zip")


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
        rsconnect.check(json.dumps({"metadata": {"appmode": appmode}}).encode(), "x.zip")
