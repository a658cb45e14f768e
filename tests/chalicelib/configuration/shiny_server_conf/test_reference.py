"""The page about moving from Shiny Server."""

from pathlib import Path

from chalicelib.configuration.shiny_server_conf.directives.table import DIRECTIVES
from chalicelib.configuration.shiny_server_conf.reference import page

PAGE = Path(__file__).resolve().parents[4] / "docs" / "from-shiny-server.md"


def test_the_page_has_the_table_of_the_code() -> None:
    text = PAGE.read_text()
    made = page(text)
    if text != made:
        PAGE.write_text(made)
    assert text == made, "the page was not up to date; it is now, look at it and commit it"


def test_each_directive_is_on_the_page() -> None:
    text = PAGE.read_text()
    assert [name for name in DIRECTIVES if f"| `{name}" not in text] == []
