"""What rsconnect and rsconnect-python say about the kind of a bundle.

Both write ``manifest.json`` at the top of the bundle. Its ``appmode`` is the kind that their author
claims. :mod:`chalicelib.kinds.recognition` decides whether the required files exist. This module is
pure.
"""

from collections.abc import Collection

from chalicelib.kinds import python_shiny
from chalicelib.kinds.recognition import top_of
from chalicelib.publishing import manifest
from chalicelib.publishing.errors import BadBundle

SERVED = ("shiny", python_shiny.APPMODE)
"""Modes that are served: a Shiny app in R or in Python."""
_OTHERS = {
    "python-api": "an API in Python",
    "python-fastapi": "an API in Python",
    "python-dash": "a Dash app",
    "python-streamlit": "a Streamlit app",
    "python-bokeh": "a Bokeh app",
    "python-gradio": "a Gradio app",
    "jupyter-static": "a Jupyter notebook",
    "jupyter-voila": "a Jupyter notebook",
    "rmd-shiny": "an interactive R Markdown document",
    "rmd-static": "an R Markdown document",
    "quarto-shiny": "an interactive Quarto document",
    "quarto-static": "a Quarto document",
    "api": "a Plumber API",
    "static": "a static site",
}


def manifest_in(paths: Collection[str]) -> str | None:
    """Return the path of the manifest among a bundle's files, beside the app, if any."""
    top = top_of(paths)
    path = f"{top}/{manifest.FILE}" if top else manifest.FILE
    return path if path in paths else None


def check(text: bytes, bundle: str) -> None:
    """Raise :class:`BadBundle` if the manifest names a kind that Sheen does not serve."""
    appmode = manifest.appmode(text)
    if appmode is not None and appmode not in SERVED:
        raise BadBundle(
            f"bundle {bundle}: {manifest.FILE} says that it is "
            f'{_OTHERS.get(appmode, "something else")} ("appmode": "{appmode[:50]}"), '
            "which Sheen does not serve yet; it serves Shiny apps, whose manifest "
            "rsconnect::writeManifest() writes, "
            "or rsconnect write-manifest shiny"
        )
