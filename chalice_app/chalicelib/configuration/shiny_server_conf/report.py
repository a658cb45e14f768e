"""Tells what becomes of a ``shiny-server.conf``, for a terminal of 100 columns. Pure."""

from collections.abc import Iterator, Sequence
from textwrap import wrap
from typing import Any

from chalicelib.configuration.shiny_server_conf.directives.schema import Edition, Verdict
from chalicelib.configuration.shiny_server_conf.findings import Finding
from chalicelib.configuration.shiny_server_conf.model import (
    AppDir,
    Configuration,
    Location,
    Redirect,
    Site,
    SiteDir,
    UserDirs,
)
from chalicelib.configuration.shiny_server_conf.reading import Reading
from chalicelib.configuration.shiny_server_conf.translation import translate
from chalicelib.configuration.shiny_server_conf.use import Use

WIDTH = 100
_MOST = 100
"""How many errors or warnings are shown."""
_LONGEST_SHOWN = 60
"""The most characters of a directive that is not shown whole."""


def report(reading: Reading) -> list[str]:
    """Return the lines about a file: each directive, each site, and the warnings at the end."""
    lines: list[str] = []
    for use in _all(reading.uses):
        lines += wrapped(f"{_place(use)}: {_short(use.words)} → {_answer(use)}")
    if reading.configuration is not None:
        for site in sites(reading.configuration):
            lines += ["", *site]
    lines += _findings("warning", reading.warnings)
    return lines


def sites(configuration: Configuration) -> list[list[str]]:
    """Return the lines about each site: its locations, and what holds there."""
    return [_site(site) for site in configuration.sites]


def errors(reading: Reading) -> list[str]:
    """Return the lines about a file's errors."""
    return _findings("error", reading.errors)[1:]


def summary(reading: Reading) -> list[str]:
    """Return the lines that sum up a file without errors."""
    verdicts = [use.directive.answer.verdict for use in _all(reading.uses)]
    counts = [
        f"{verdicts.count(verdict)} {words}"
        for verdict, words in (
            (Verdict.HONOURED, "honoured"),
            (Verdict.MAPPED, "mapped"),
            (Verdict.CLOSES, "about sign-in"),
            (Verdict.NO_EFFECT, "without effect"),
        )
    ]
    number = len(reading.warnings)
    warnings = f"{number} warning" + ("" if number == 1 else "s")
    return wrapped(f"no errors, {warnings}; directives: {', '.join(counts)}")


def _findings(kind: str, findings: Sequence[Finding]) -> list[str]:
    lines = [""] if findings else []
    for finding in findings[:_MOST]:
        lines += wrapped(f"{finding.position}: {kind}: {finding.text}")
    if len(findings) > _MOST:
        lines.append(f"… and {len(findings) - _MOST:,} more")
    return lines


def wrapped(text: str, indent: int = 4) -> list[str]:
    """Return a text in lines for a terminal, the first without indent."""
    # What a file has in quotes may be control characters for the terminal.
    printable = "".join(char if char.isprintable() else "\ufffd" for char in text)
    return wrap(printable, WIDTH, subsequent_indent=" " * indent, break_on_hyphens=False)


def _all(uses: Sequence[Use]) -> Iterator[Use]:
    for use in uses:
        yield use
        yield from _all(use.children)


def _place(use: Use) -> str:
    return f"{use.position.file}:{use.position.line}"


def _short(words: str) -> str:
    return words if len(words) <= _LONGEST_SHOWN else f"{words[:_LONGEST_SHOWN]}…"


def _answer(use: Use) -> str:
    answer, translation = use.directive.answer, translate(use)
    # Where a directive is honoured, only what differs in this place is worth a word.
    text = answer.verdict.value if answer.verdict is Verdict.HONOURED else str(answer)
    if translation is not None and translation.remark:
        text = translation.remark
        if translation.value is not None:
            text = f"{answer.verdict.value}: {text}"
    return f"{text} (Professional)" if use.directive.edition is Edition.PRO else text


def _site(site: Site) -> list[str]:
    lines = wrapped(title_of(site))
    width = max((len(location.path) for location in site.locations), default=0)
    width = min(max(width, 1), 40)
    for location in site.locations:
        path = location.path or "/"
        lines += wrapped(f"  {path.ljust(width)}  {target_of(location)}")
        if location.closed:
            lines += wrapped(f"      closed: {location.closed}")
        lines += _layers(location)
    return lines


def title_of(site: Site) -> str:
    """Return the words by which a site is known."""
    names = ", ".join(site.names) or "every host"
    address = "" if site.host == "*" else f", address {site.host}"
    return f"{names}, port {site.port}{address}"


def target_of(location: Location) -> str:
    """Return the words about what a location leads to."""
    match location.target:
        case SiteDir(root):
            listed = ", folders are listed" if location.directory_index else ""
            return f"apps and files of {root}{listed}"
        case AppDir(path):
            return f"app {path}"
        case UserDirs(_, groups):
            of = f" who are in {' or '.join(groups)}" if groups else ""
            return f"apps and files of users{of}"
        case Redirect(url, status, exact):
            return f"redirect ({status}) to {url}{'' if exact else ', also from below'}"


def _layers(location: Location) -> list[str]:
    """Return the settings that hold, each with the layer that it comes from."""
    settings = location.settings()
    titles = {
        value.setting: layer.title for layer in location.layers for value in layer.settings.values()
    }
    width = max(map(len, settings), default=0)
    return [
        line
        for name, value in settings.items()
        for line in wrapped(
            f"      {name.ljust(width)}  {written(value.value)}"
            f"  (line {value.position.line}, {titles[name]})",
            indent=8 + width,
        )
    ]


def written(value: Any) -> str:
    """Return a setting's value for people."""
    match value:
        case bool():
            return "true" if value else "false"
        case float():
            return f"{value:g}"
        case dict():
            return ", ".join(f"{name}: {written(one)}" for name, one in value.items())
        case tuple():
            return " ".join(map(written, value)) or "none"
        case _:
            return str(value)
