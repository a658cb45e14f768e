"""The table of directives as a page of the documentation shows it. Pure."""

from chalicelib.configuration.shiny_server_conf.directives.schema import (
    Directive,
    Edition,
    Scope,
)
from chalicelib.configuration.shiny_server_conf.directives.table import GROUPS

BEGIN = "<!-- The tables below are made from the code: see docs/contributor.md. -->"


def reference() -> str:
    """Return the tables, one for each subject, in Markdown."""
    return "\n".join("\n".join(_group(title, rows)) for title, rows in GROUPS.items())


def page(current: str) -> str:
    """Return a page whose tables, which are its end, are up to date."""
    return f"{current.partition(BEGIN)[0]}{BEGIN}\n\n{reference()}"


def _group(title: str, rows: tuple[Directive, ...]) -> list[str]:
    return [
        f"### {title}",
        "",
        "| directive | where | here |",
        "| --- | --- | --- |",
        *map(_row, rows),
        "",
    ]


def _row(row: Directive) -> str:
    where = ", ".join(scope.value for scope in Scope if scope in row.scopes)
    edition = "Professional" if row.edition is Edition.PRO else ""
    notes = ", ".join(note for note in (edition, f"since {row.since}" if row.since else "") if note)
    name = f"`{row.synopsis}`".replace("|", "\\|") + (f" ({notes})" if notes else "")
    answer = str(row.answer).replace("|", "\\|").replace("**", "`**`")
    setting = "" if row.setting in ("", row.name) else f" (setting `{row.setting}`)"
    return f"| {name} | {where} | {answer}{setting} |"
