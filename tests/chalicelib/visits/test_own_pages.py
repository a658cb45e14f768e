"""An operator's templates show Sheen's pages where the configuration names their folder."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from aiohttp.test_utils import make_mocked_request

import app as lambdas
from agent.failure import WorkerFailed
from agent.http import answers
from chalicelib import pages
from chalicelib.agents import protocol
from chalicelib.apps import store as apps
from chalicelib.apps import versions
from chalicelib.lambdas.environment import Environment
from chalicelib.pages import Draft
from chalicelib.visits.by_configuration import ByConfiguration
from tests.chalicelib.proxy_events import body_of, header_of
from tests.chalicelib.standin_agent import Got, Say, StandinAgent
from tests.chalicelib.visits.configured import Folders, apply, ask, clear, publish, write

BROWSER = [("Accept", "text/html")]
TEMPLATES = {
    "/t": {
        "error": "error {{status}}: {{title}} {{detail}}",
        "error-403": "forbidden",
        "directoryIndex": (
            "{{title}}:{{#each dirs}} {{name}}{{/each}}{{#each files}} {{name}}{{/each}}"
        ),
        "waiting": "{{{sheen_head}}}{{app_name}} starts",
    },
    "/deep": {"error": "deep"},
}
FILE = (
    "run_as shiny; log_dir /l; template_dir /t; server { listen 80;"
    " location /other { site_dir /other; template_dir /nowhere; directory_index on; }"
    " location /deep { site_dir /deep; template_dir /deep; }"
    " location /closed { site_dir /closed; required_user bob; }"
    " location / { site_dir /srv; directory_index on; } }"
)


@pytest.fixture(autouse=True)
def folders(
    dynamodb_calls: Counter[str], agent: StandinAgent, monkeypatch: pytest.MonkeyPatch
) -> Folders:
    fresh = Environment()
    monkeypatch.setattr(lambdas, "here", fresh)
    clear()
    fresh.bind()
    made = Folders(agent)
    found = ByConfiguration.of(fresh.settings, fresh.clock)
    found._app_in = made.app_in
    fresh.__dict__["by_configuration"] = found
    apply(FILE, templates=TEMPLATES, health_checks={"": "mine", "n": "#active-apps#"})
    return made


def text(path: str) -> str:
    return body_of(ask(path, BROWSER)).decode()


def test_each_location_has_the_pages_of_its_nearest_folder() -> None:
    write("/srv/data/a.txt", "/srv/data/b/c.txt", "/srv/.hidden", "/deep/.x", "/closed/x")
    assert text("/gone") == "error 404: Page not found "
    assert text("/data/") == "Index of /data/: b a.txt"
    assert text("/.hidden") == "forbidden"
    assert text("/closed/x") == "forbidden"
    assert text("/deep/.x") == "deep"
    assert text("/deep/gone").startswith("error 404"), "no location has it: as in Shiny Server"
    write("/other/x")
    assert "Served by <b>Sheen</b>" in text("/other/"), "the folder has no template"
    answer = ask("/gone", BROWSER)
    assert answer["statusCode"] == 404
    assert "'nonce-" in header_of(answer, "content-security-policy")[0]
    apply("run_as shiny; log_dir /l; server { listen 80; location / { site_dir /srv; } }", "2")
    assert "Served by <b>Sheen</b>" in text("/gone"), "another configuration holds"


def test_the_pages_of_apps_are_shown_too(agent: StandinAgent) -> None:
    app = apps.ensure("/sleeps", 1.0)
    versions.add(app.app_id, "v1", bundle="", kind="app.R", source="", settings={}, now=1.0)
    assert versions.activate("/sleeps", "v1", "1", 1.0)
    assert text("/sleeps/").endswith("Sleeps starts")
    assert "document.currentScript" in text("/sleeps/")
    publish("/hello", agent)

    def broken(got: Got) -> Say:
        return Say(break_off=True)

    agent.answer = broken
    assert text("/hello/").startswith("error 50")


def test_an_agents_own_page_comes_as_a_draft_and_keeps_its_headers(agent: StandinAgent) -> None:
    publish("/hello", agent)
    request = make_mocked_request("GET", "/", headers={"Accept": "text/html"})
    failed = WorkerFailed("R has ended", "Error in <x>")
    shown = answers.failed(request, failed, Path("/srv/app"), "/hello", sanitize=False)
    assert isinstance(shown, answers.PageShown)
    sent = shown.as_draft()
    assert isinstance(sent.body, bytes)
    headers = [*sent.headers.items(), ("Set-Cookie", "a=1")]
    say = Say(sent.status, headers, sent.body)
    agent.answer = lambda got: say if got.header(protocol.DRAFT) else Say(500, [], b"html")
    answer = ask("/hello/", BROWSER)
    assert body_of(answer).decode() == "error 500: The app could not start Error in &lt;x&gt;"
    assert header_of(answer, "content-type") == ["text/html; charset=utf-8"]
    assert header_of(answer, "set-cookie") == ["a=1"]
    assert not header_of(answer, protocol.DRAFT)
    apply("run_as shiny; log_dir /l; server { listen 80; location / { site_dir /srv; } }", "2")
    assert "Served by <b>Sheen</b>" in text("/hello/"), "no templates hold"


@pytest.mark.parametrize(
    "page",
    [
        pages.busy("a", "/s", "c=1", elapsed=3.0),
        pages.users("a"),
        pages.error("t", "m", "d", "/"),
    ],
    ids=["busy", "users", "error"],
)
def test_a_draft_travels_as_json_and_makes_the_same_page(page: pages.Page) -> None:
    assert pages.make(page.status, Draft.parse(page.draft.encoded().encode())).html == page.html


@pytest.mark.parametrize(
    "text",
    ["[]", "{}", '{"own": "../../x", "values": {}, "names": []}', '{"own": "error", "values": 1}'],
)
def test_nothing_else_is_read_as_a_draft(text: str) -> None:
    with pytest.raises(ValueError, match="no draft"):
        Draft.parse(text.encode())


def test_health_checks_have_the_templates_of_the_configuration() -> None:
    assert text("/__health-check__") == "mine"
    assert text("/__health-check__/n") == "0"
    assert ask("/__health-check__/x")["statusCode"] == 404
    assert text("/ping") == "OK"
