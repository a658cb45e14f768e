"""What people publish elsewhere and Sheen does not serve: one table. Pure."""

import re
from typing import NamedTuple


class Refused(NamedTuple):
    """One kind that is not served."""

    words: str
    appmodes: tuple[str, ...] = ()
    """Its names in manifests of rsconnect."""
    file: str = ""
    """Pattern of a file's name, in lower case, that makes a bundle one; empty if none does.

    It counts only if no kind that is served is recognised, because an app may have such files too.
    """


REFUSED = (
    Refused("an R Markdown document", ("rmd-static",), r"[^/]+\.rmd"),
    Refused("an interactive R Markdown document", ("rmd-shiny",)),
    Refused("a Quarto document", ("quarto-static",), r"[^/]+\.qmd"),
    Refused("an interactive Quarto document", ("quarto-shiny",)),
    Refused("a Python app that is not Shiny's", file=r"app\.py"),
    Refused("an API in Python", ("python-api", "python-fastapi")),
    Refused("a Dash app", ("python-dash",)),
    Refused("a Streamlit app", ("python-streamlit",)),
    Refused("a Bokeh app", ("python-bokeh",)),
    Refused("a Gradio app", ("python-gradio",)),
    Refused("a Jupyter notebook", ("jupyter-static", "jupyter-voila")),
    Refused("a Plumber API", ("api",), r"plumber\.r"),
    Refused("a static site", ("static",), r"index\.html?"),
)


def words_of(appmode: str) -> str:
    """Return what a manifest's ``appmode`` stands for that no kind has.

    >>> words_of("python-dash"), words_of("new")
    ('a Dash app', 'something else')
    """
    return next((each.words for each in REFUSED if appmode in each.appmodes), "something else")


def found_in(names: frozenset[str]) -> tuple[str, str] | None:
    """Return the file that makes a bundle something that is not served, and the words for it.

    ``names`` are paths in lower case.
    """
    for each in REFUSED:
        pattern = re.compile(each.file) if each.file else None
        hit = min((name for name in names if pattern and pattern.fullmatch(name)), default=None)
        if hit is not None:
            return hit, each.words
    return None
