"""What a build refuses for certain, what it only tells, and that it refuses nothing that works:
real R, real Python.
"""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from chalicelib.configuration.app_settings import AppSettings
from chalicelib.publishing.build_log import NOTE
from chalicelib.publishing.errors import BadBundle
from tasks.build_log import BuildLog
from tasks.check import CheckFinding, check, told
from tasks.kinds import shiny_python, shiny_r
from tasks.kinds.build import Build

R, PYTHON = shiny_r.BUILD, shiny_python.BUILD
TREE = Path(__file__).resolve().parents[2]
APP = "shinyApp(fluidPage('a'), function(input, output) {})\n"
SERVER = "function(input, output) {}\n"


class Tried:
    """Has bundles tried; each gives the notes for its author."""

    def __init__(self, folder: Path) -> None:
        self.app = folder / "app"
        self.app.mkdir()

    def __call__(
        self,
        files: Mapping[str, str | bytes],
        kind: Build = R,
        library: Path | None = None,
        **settings: Any,
    ) -> list[str]:
        for name, content in files.items():
            (self.app / name).parent.mkdir(parents=True, exist_ok=True)
            (self.app / name).write_bytes(content.encode() if isinstance(content, str) else content)
        log = BuildLog(lambda text: None, lambda error: None)
        check(
            self.app,
            kind,
            "app:app" if kind is PYTHON else "",
            library,
            self.app.with_name("library"),
            AppSettings.parse(settings),
            log,
        )
        return [line.removeprefix(NOTE) for line in log.last(100)]


@pytest.fixture
def tried(tmp_path: Path) -> Tried:
    return Tried(tmp_path)


REFUSED: dict[str, tuple[dict[str, str | bytes], Build, str]] = {
    "a syntax error": (
        {"app.R": "library(shiny)\nui <- fluidPage(\n  'a'))\n"},
        R,
        r"app\.R:3:7: unexpected '\)'",
    ),
    "one in a file that Shiny loads": (
        {"app.R": APP, "R/helper.R": "f <- function( {\n"},
        R,
        r"R/helper\.R:1:16: unex",
    ),
    "one in ui.R": (
        {"server.R": SERVER, "ui.R": "fluidPage('a'\n"},
        R,
        r"ui\.R:2:0: unexpected end of input",
    ),
    "a byte order mark, which this R cannot parse": (
        {"app.R": b"\xef\xbb\xbf" + APP.encode()},
        R,
        r"app\.R:1:1: unexpected in",
    ),
    "a package that is not there": (
        {"app.R": "library(shiny)\nlibrary(nothere)\n" + APP},
        R,
        "app\\.R:2: there is no package called .nothere.",
    ),
    "one whose messages are suppressed": (
        {
            "server.R": SERVER,
            "ui.R": "1",
            "global.R": "suppressPackageStartupMessages({\n  library('nothere')\n})\n",
        },
        R,
        "global\\.R:1: there is no package called",
    ),
    "no app object": (
        {"app.R": "library(shiny)\nserver <- function(input, output) {}\n"},
        R,
        r"app\.R:2: it does not come to an app",
    ),
    "an app for people at a prompt only": (
        {"app.R": "library(shiny)\nif (interactive()) " + APP},
        R,
        "does not come to an app",
    ),
    "an empty file": (
        {"app.R": "# nothing yet\n"},
        R,
        r"app\.R: it does not come to an app",
    ),
    "no server": (
        {"server.R": "library(shiny)\n", "ui.R": "1"},
        R,
        r"server\.R:1: it does not come to a server",
    ),
    "runApp at the end": (
        {"app.R": "app <- " + APP + "shiny::runApp(app)\n"},
        R,
        r"app\.R:2: it calls runApp\(\)",
    ),
    "Python that cannot be compiled": (
        {"app.py": "import shiny\ndef f(:\n  pass\n"},
        PYTHON,
        r"app\.py:2: SyntaxError: invalid syntax",
    ),
    "a module that is not there": (
        {"app.py": "import shiny\nfrom nothere.x import y\napp = 1\n"},
        PYTHON,
        "app.py:2: ModuleNotFoundError: No module named 'nothere'",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_work_is_refused_in_the_languages_own_words_with_the_way_out(
    tried: Tried, what: str
) -> None:
    files, kind, said = REFUSED[what]
    with pytest.raises(BadBundle, match=rf"(?s){said}.*with check = false in its sheen\.toml"):
        tried(files, kind)
    assert tried(files, kind, check=False) == []


WORKS: dict[str, dict[str, str | bytes]] = {
    "names of packages that are made": {
        "app.R": (
            "p <- 'stats'\nlibrary(p, character.only = TRUE)\nlibrary(paste0('no', p), "
            "character.only = TRUE)\n"
        )
        + APP
    },
    "a package that is asked for before": {
        "app.R": "if (requireNamespace('nothere', quietly = TRUE)) nothere::on()\n" + APP
    },
    "a package of the image": {"app.R": "library(jsonlite)\nlibrary('stats')\n" + APP},
    "an app that a function makes": {"app.R": "make <- function() " + APP + "make()\n"},
    "an app that is assigned at last": {"app.R": "library(shiny)\napp <- " + APP},
    "an app in braces": {"app.R": "{\n  library(shiny)\n  " + APP + "}\n"},
    "an app that a file gives": {"app.R": "source('main.r')$value\n", "main.r": APP},
    "runApp for people at a prompt": {
        "app.R": "app <- " + APP + "if (interactive()) runApp(app)\napp\n"
    },
    "a runApp of its own": {"app.R": "runApp <- function(app) app\nrunApp(" + APP.strip() + ")\n"},
    "UTF-8 in names": {"app.R": "größe <- 'Zürich 東京'\n" + APP},
    "Latin-1 in a comment": {"app.R": b"# Z\xfcrich\n" + APP.encode()},
    "Windows' line ends": {"app.R": ("library(shiny)\n" + APP).replace("\n", "\r\n")},
    "no line end": {"app.R": APP.strip()},
    "quoted code": {"app.R": "x <- quote(library(nothere))\nf <- function() NULL\n" + APP},
    "server.R beside app.R": {"app.R": "library(shiny)", "server.R": SERVER, "ui.R": "1"},
    "shinyServer before the end": {
        "server.R": "shinyServer(function(input, output) {})\nlibrary(stats)\n",
        "ui.R": "1",
    },
    "a deep expression": {"app.R": "x <- " + "-" * 400 + "1\n" + APP},
    "a switched-off R folder": {
        "app.R": APP,
        "R/_disable_autoload.R": "",
        "R/notes.R": "library(shiny)\n",
    },
}


@pytest.mark.parametrize("what", WORKS)
def test_what_works_is_published(tried: Tried, what: str) -> None:
    assert tried(WORKS[what]) == []


NOT_THERE = (
    "app.R:1: there is no package called \N{LEFT SINGLE QUOTATION MARK}nothere\N{RIGHT SINGLE QUOTATION MARK}; "  # noqa: E501
    "a lock file beside the app says what to install: "
    "renv::snapshot() or rsconnect::writeManifest() writes one"
)
NOTED = {
    "a package in a function": ({"app.R": "f <- function() library(nothere)\n" + APP}, NOT_THERE),
    "one with ::": ({"app.R": "f <- function() {\n  nothere::x()\n}\n" + APP}, NOT_THERE),
    "a package that is installed first": (
        {"app.R": "if (!require(nothere)) install.packages('nothere')\nlibrary(nothere)\n" + APP},
        NOT_THERE,
    ),
    "one that .Rprofile may know": (
        {"app.R": "library(nothere)\n" + APP, ".Rprofile": ".libPaths('lib')\n"},
        NOT_THERE,
    ),
    "a file that nothing loads by itself": (
        {"app.R": APP, "old/notes.R": "x <- (\n"},
        "old/notes.R:2:0: unexpected end of input\n1: x <- (\n   ^",
    ),
    "nothing that looks like an app": (
        {"app.R": "x <- 1\nx\n"},
        "app.R:2: no shinyApp() was found; its last expression must come to an app",
    ),
}


@pytest.mark.parametrize("what", NOTED)
def test_what_may_not_work_is_told_and_published(tried: Tried, what: str) -> None:
    files, note = NOTED[what]
    assert "\n".join(tried(files)).replace("\N{REPLACEMENT CHARACTER}", "\n") == note


def test_python_that_works_is_published(tried: Tried) -> None:
    files = {
        "app.py": "import numbers, helpers, data_only\nfrom .other import x\nfrom shiny import "
        "App\n"
        "try:\n    import nothere\nexcept ImportError:\n    pass\napp = App(1, None)\n",
        "helpers.py": "",
        "data_only/a.csv": "",
    }
    assert tried(files, PYTHON) == []
    (tried.app / "app.py").write_text("import shiny, sys\nsys.path.append('lib')\nimport inlib\n")
    assert tried({}, PYTHON) == ["app.py:3: ModuleNotFoundError: No module named 'inlib'"]


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Path]:
    """A library with a package that cannot be loaded, and one that can, where everybody can read
    it.
    """
    folder = Path(tempfile.mkdtemp(prefix="sheen-library-"))
    folder.chmod(0o755)
    made = folder / "made"
    made.mkdir(mode=0o755)
    for name, code in (("broken", "stop('its data is not there')"), ("whole", "TRUE")):
        source = tmp_path / name
        (source / "R").mkdir(parents=True)
        (source / "DESCRIPTION").write_text(
            f"Package: {name}\nVersion: 1.0\nTitle: T\nDescription: D.\nAuthor: "
            "A\nMaintainer: A <a@b.c>\nLicense: MIT\n"
        )
        (source / "NAMESPACE").write_text("")
        (source / "R" / "a.R").write_text(f".onLoad <- function(...) {code}\n")
        command = [
            "R",
            "CMD",
            "INSTALL",
            "--no-test-load",
            "--no-docs",
            "-l",
            str(made),
            str(source),
        ]
        subprocess.run(command, check=True, capture_output=True)
    yield made
    shutil.rmtree(folder)


def test_the_apps_own_packages_are_loaded(tried: Tried, library: Path) -> None:
    assert tried({"app.R": "library(whole)\n" + APP}, library=library) == []
    with pytest.raises(BadBundle, match=r"(?s)app\.R:1: .*its data is not there"):
        tried({"app.R": "library(broken)\n" + APP}, library=library)


def test_another_r_is_not_asked_and_a_look_without_end_stops_no_publish(
    tried: Tried, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert tried({"app.R": "this is not R\n"}, r_path="/opt/R/bin/R") == []
    monkeypatch.setattr("tasks.check.PATIENCE", 0.01)
    assert tried({"app.R": APP}) == [
        "the app could not be looked through, and is published as it is"
    ]


@pytest.mark.parametrize(
    "folder", sorted((TREE / "examples").iterdir()), ids=lambda path: path.name
)
def test_the_examples_pass_without_a_word(folder: Path, tried: Tried) -> None:
    files = {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.suffix in (".R", ".py", ".json")
    }
    kind = PYTHON if "app.py" in files else R
    assert tried(files, kind) == []


def test_files_that_shiny_loads_are_those_of_its_own_rules() -> None:
    paths = ["R/a.R", "R/sub/b.R", "App.r", "helper.R", "global.R"]
    assert shiny_r.files_of(paths, ["App.r", "R"]) == (
        ["R/a.R", "App.r"],
        ["R/sub/b.R", "global.R", "helper.R"],
        ["App.r", "R"],
    )
    assert shiny_r.files_of(["server.R", "ui.R", "global.R"], ["server.R"]).run == [
        "global.R",
        "ui.R",
        "server.R",
    ]
    assert shiny_r.files_of(["R/a.R"], ["R"]).run == []


def test_a_finding_names_its_file_and_line() -> None:
    assert told(CheckFinding(True, "app.R", 0, "gone")) == "app.R: gone"
    assert told(CheckFinding(True, "app.R", 7, "gone")) == "app.R:7: gone"
