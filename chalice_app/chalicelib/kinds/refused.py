"""What people publish elsewhere and Sheen does not serve: one table. Pure."""

import re
from typing import NamedTuple


class UnservedKind(NamedTuple):
    """One kind that is not served."""

    words: str
    appmodes: tuple[str, ...] = ()
    """Its names in manifests of rsconnect."""
    file: str = ""
    """Pattern of a file's name, in lower case, that makes a bundle one; empty if none does.

    It counts only if no kind that is served is recognised, because an app may have such files too.
    """


REFUSED = (
    UnservedKind("an R Markdown document", ("rmd-static",), r"[^/]+\.rmd"),
    UnservedKind("an interactive R Markdown document", ("rmd-shiny",)),
    UnservedKind("a Quarto document", ("quarto-static",), r"[^/]+\.qmd"),
    UnservedKind("an interactive Quarto document", ("quarto-shiny",)),
    UnservedKind("a Python app that is not Shiny's", file=r"app\.py"),
    UnservedKind("an API in Python", ("python-api", "python-fastapi")),
    UnservedKind("a Dash app", ("python-dash",)),
    UnservedKind("a Streamlit app", ("python-streamlit",)),
    UnservedKind("a Bokeh app", ("python-bokeh",)),
    UnservedKind("a Gradio app", ("python-gradio",)),
    UnservedKind("a Jupyter notebook", ("jupyter-static", "jupyter-voila")),
    UnservedKind("a Plumber API", ("api",), r"plumber\.r"),
    UnservedKind("a static site", ("static",), r"index\.html?"),
)


def words_of(appmode: str) -> str:
    """Return what a manifest's ``appmode`` stands for that no kind has.

    >>> words_of("python-dash"), words_of("new")
    ('a Dash app', 'something else')
    """
    return next((each.words for each in REFUSED if appmode in each.appmodes), "something else")


def found_in(paths: frozenset[str]) -> tuple[str, str] | None:
    """Return the file that makes a bundle something that is not served, and the words for it."""
    for each in REFUSED:
        pattern = re.compile(each.file) if each.file else None
        hits = (path for path in paths if pattern and pattern.fullmatch(path.lower()))
        hit = min(hits, default=None)
        if hit is not None:
            return hit, each.words
    return None
