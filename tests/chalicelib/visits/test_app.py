"""A visitor's way through ``app(event, context)``, with true proxy events, real rows and somebody
at the agent's address.
"""

import json
import re
import secrets
from collections import Counter
from html import unescape
from typing import Any

import pytest

import app as lambdas
from chalicelib import version
from chalicelib.apps import directory, life, versions
from chalicelib.apps import store as apps
from chalicelib.apps.model import App
from chalicelib.configuration import layers
from chalicelib.configuration.limits import LARGEST_ANSWER
from chalicelib.instances import spares, store
from chalicelib.instances.model import Instance, VersionId
from chalicelib.instances.secret import Purpose, key_for
from chalicelib.lambdas.environment import Environment
from tests.chalicelib.proxy_events import Context, body_of, header_of, rest_event
from tests.chalicelib.standin_agent import Got, Say, StandinAgent

BROWSER = [("Accept", "text/html,application/xhtml+xml,*/*;q=0.8"), ("Sec-Fetch-Dest", "document")]
VERSION = "20261120T133144Z-3f9a"


@pytest.fixture(autouse=True)
def environment(dynamodb_calls: Counter[str], monkeypatch: pytest.MonkeyPatch) -> None:
    fresh = Environment()
    monkeypatch.setattr(lambdas, "here", fresh)


@pytest.fixture
def no_time_passes(environment: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing that an environment remembers for a while is read anew."""
    now = lambdas.here.clock()
    monkeypatch.setattr(lambdas.here, "clock", lambda: now)


def ask(
    method: str,
    url: str,
    headers: list[tuple[str, str]] | None = None,
    body: bytes = b"",
    stage: str = "",
) -> dict[str, Any]:
    answer: dict[str, Any] = lambdas.app(rest_event(method, url, headers, body, stage), Context())
    json.dumps(answer)
    return answer


def activate(location: str, version: str, upload: str) -> None:
    versions.add(
        apps.get(location).app_id,
        version,
        bundle="bundles/x.zip",
        kind="app.R",
        source="",
        settings={},
        now=1.0,
    )
    assert versions.activate(location, version, upload, 1.0)


def published(location: str = "/hello", **settings: object) -> str:
    app = apps.ensure(location, 1.0)
    activate(location, VERSION, "1")
    app.refresh()
    app.settings = settings
    app.save()
    return str(VersionId(app.app_id, VERSION))


def running(version_id: str, agent: StandinAgent, slot: int = 0) -> Instance:
    claimed = store.claim(version_id, slot, app="/hello", capacity=100, now=lambdas.here.clock())
    assert claimed is not None
    return store.mark_ready(claimed.ref, agent.address, "token", lambdas.here.clock())


def test_a_visitor_gets_the_apps_own_answer_byte_by_byte(agent: StandinAgent) -> None:
    instance = running(published(), agent)
    body = bytes(range(256)) * 300
    agent.answer = lambda got: Say(
        201,
        [
            ("Set-Cookie", "a=1; Path=/"),
            ("Set-Cookie", "b=2"),
            ("Content-Type", "image/png"),
            ("sheen-x", "no"),
            ("X-App", "yes"),
        ],
        body,
    )
    sent = secrets.token_bytes(5000)
    headers = [
        ("Cookie", "c=3"),
        ("sheen-base", "/evil"),
        ("sheen-largest", "9"),
        ("Shiny-Shared-Secret", "guess"),
        ("X-App-Dup", "1"),
        ("X-App-Dup", "2"),
    ]
    answer = ask("PUT", "/hello/a%20b/c?x=1&y=&x=2&z=%C3%BC", headers, sent)
    assert answer["statusCode"] == 201
    assert body_of(answer) == body
    assert header_of(answer, "set-cookie") == ["a=1; Path=/", "b=2"]
    assert header_of(answer, "sheen-x") == []
    got = agent.got[0]
    assert (got.method, got.path, got.body) == ("PUT", "/app/a%20b/c?x=1&x=2&y=&z=%C3%BC", sent)
    assert got.header("sheen-base") == "/hello"
    assert got.header("sheen-largest") == str(LARGEST_ANSWER)
    assert got.header("sheen-agent-key") == key_for(instance.secret, Purpose.AGENT)
    assert got.header("shiny-shared-secret") is None
    assert got.header("sheen-session") is None
    assert [value for name, value in got.headers if name == "x-app-dup"] == ["1", "2"]


def test_answers_have_the_headers_of_the_operator_and_the_frame_of_the_app(
    agent: StandinAgent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHEEN_APP_DEFAULTS", "set_header=X-Site=sheen")
    try:
        running(published(frame_options="sameorigin"), agent)
        agent.answer = lambda got: Say(200, [("Content-Type", "text/html")], b"<p>x")
        page = ask("GET", "/hello/", BROWSER)
        sockjs = ask("GET", "/hello/__sockjs__/n=1/iframe.html")
        nothing = ask("GET", "/nothing/", BROWSER)
    finally:
        App.defaults = layers.deployment({})
    assert [header_of(each, "x-site") for each in (page, sockjs, nothing)] == [["sheen"]] * 3
    assert header_of(page, "x-frame-options") == ["sameorigin"]
    assert header_of(sockjs, "x-frame-options") == [], "the app's page has it in a frame"
    assert nothing["statusCode"] == 404


def test_the_settings_of_an_app_are_resolved_once_for_the_requests_that_use_its_row(
    agent: StandinAgent, no_time_passes: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    running(published(sanitize_errors="false"), agent)
    resolved = layers.resolve
    times: list[int] = []
    monkeypatch.setattr(layers, "resolve", lambda all: times.append(1) or resolved(all))
    ask("GET", "/hello/", BROWSER)
    for name in ("a.js", "b.css", "c.png"):
        ask("GET", f"/hello/{name}")
    assert len(times) == 1


def test_a_visitor_cannot_forge_what_the_gateway_says_and_other_spellings_do_not_pass(
    agent: StandinAgent,
) -> None:
    running(published(), agent)
    forged = [
        ("X-Forwarded-For", "6.6.6.6, 192.0.2.7"),
        ("X-Forwarded-Host", "evil.example"),
        ("X_Forwarded_Prefix", "/evil"),
        ("Shiny_Server_Credentials", "{}"),
        ("Remote-User", "admin"),
        ("Proxy", "http://evil.example"),
        ("X-App-Own", "€ caf\udce9"),
    ]
    ask("GET", "/hello/x", [("Host", "apps.example"), *forged])
    got = dict(agent.got[0].headers)
    assert (got["x-forwarded-for"], got["host"]) == ("192.0.2.7", "apps.example")
    assert not {
        name for name in got if "_" in name or name in ("x-forwarded-host", "remote-user", "proxy")
    }


def test_a_service_worker_cannot_answer_for_every_app(agent: StandinAgent) -> None:
    running(published(), agent)
    asks = [("Service-Worker", "script")]
    for path in ("/sw.js", "//sw.js", "/hello"):
        assert ask("GET", path, asks)["statusCode"] == 403
    assert ask("GET", "/hello/sw.js", asks)["statusCode"] == 200


@pytest.mark.parametrize("headers", [[], [("Accept", "image/avif")], [("Accept", "*/*")]])
def test_an_answer_needs_no_accept_header(
    agent: StandinAgent, headers: list[tuple[str, str]]
) -> None:
    running(published(), agent)
    agent.answer = lambda got: Say(200, [("content-type", "application/octet-stream")], b"\xff\x00")
    assert body_of(ask("GET", "/hello/x.bin", headers)) == b"\xff\x00"


@pytest.mark.parametrize(
    "content_type",
    ["application/json", "application/xml", "multipart/form-data; boundary=x", "nonsense"],
)
def test_any_body_is_taken(agent: StandinAgent, content_type: str) -> None:
    running(published(), agent)
    assert ask("POST", "/hello/x", [("Content-Type", content_type)], b"{")["statusCode"] == 200
    assert agent.got[0].body == b"{"


def test_head_is_answered_with_the_body_whose_length_the_gateway_tells(agent: StandinAgent) -> None:
    running(published(), agent)
    agent.answer = lambda got: Say(200, [("Content-Type", "text/css")], b"body {}")
    assert body_of(ask("HEAD", "/hello/x.css")) == b"body {}"
    assert (agent.got[0].method, agent.got[0].header("sheen-head")) == ("GET", "1")


def test_the_largest_bodies_that_fit_go_through(agent: StandinAgent) -> None:
    running(published(), agent)
    agent.answer = lambda got: Say(200, [], b"x" * 4_600_000)
    answer = ask("POST", "/hello/x", [], b"y" * 4_400_000)
    assert len(json.dumps(answer)) < 6_291_456
    assert len(agent.got[0].body) == 4_400_000
    agent.answer = lambda got: Say(200, [], b"x" * 5_000_000)
    assert ask("GET", "/hello/x")["statusCode"] == 502


def test_a_page_takes_a_seat_and_a_picture_does_not(agent: StandinAgent) -> None:
    instance = running(published(), agent)
    ask("GET", "/hello/", BROWSER)
    ask("GET", "/hello/shared/shiny.css", [("Accept", "text/css,*/*;q=0.1")])
    row = store.get(instance.ref)
    assert row is not None
    assert list(store.seats_of(row)) == [agent.got[0].header("sheen-session")]
    assert agent.got[1].header("sheen-session") is None


def test_a_warm_page_costs_at_most_two_dynamodb_calls_and_a_warm_asset_none(
    agent: StandinAgent, dynamodb_calls: Counter[str]
) -> None:
    running(published(), agent)
    ask("GET", "/hello/", BROWSER)
    dynamodb_calls.clear()
    ask("GET", "/hello/", BROWSER)
    assert dynamodb_calls.total() <= 2
    dynamodb_calls.clear()
    ask("GET", "/hello/x.css")
    assert dynamodb_calls.total() == 0


def test_a_page_that_was_kept_is_asked_for_where_it_is_and_another_one_when_it_is_gone(
    agent: StandinAgent,
) -> None:
    instance = running(published(), agent)
    cookie = ("Cookie", f"a=1; sheen-page={'t' * 32}.{VERSION}.0.0")
    assert ask("GET", "/hello/?x=1", [*BROWSER, cookie])["statusCode"] == 200
    row = store.get(instance.ref)
    assert row is not None and not list(store.seats_of(row))
    assert (
        agent.got[0].path,
        agent.got[0].header("sheen-page"),
        agent.got[0].header("sheen-session"),
    ) == ("/app/?x=1", "t" * 32, None)
    agent.answer = lambda got: (
        Say(404, [("sheen-refused", "page")]) if got.header("sheen-page") else Say(200)
    )
    answer = ask("GET", "/hello/?x=1", [*BROWSER, cookie])
    assert answer["statusCode"] == 200
    assert agent.got[-1].header("sheen-session")
    assert header_of(answer, "set-cookie") == ["sheen-page=; Path=/hello/; Max-Age=0; SameSite=Lax"]
    elsewhere = ("Cookie", f"sheen-page={'t' * 32}.{VERSION}.7.0")
    assert ask("GET", "/hello/", [*BROWSER, elsewhere])["statusCode"] == 200
    assert agent.got[-1].header("sheen-session")


def test_the_first_visitor_waits_and_the_start_can_be_followed(agent: StandinAgent) -> None:
    published()
    waiting = ask("GET", "/hello/?q=1", BROWSER)
    assert waiting["statusCode"] == 202
    assert header_of(waiting, "retry-after")
    instance = next(Instance.scan())
    url = f"/hello/__sheen__/start?instance={instance.instance_id}"
    assert url in unescape(body_of(waiting).decode())
    assert json.loads(body_of(ask("GET", url))) == {
        "state": "STARTING",
        "phase": "machine",
        "message": "",
        "failure": None,
    }
    store.mark_phase(instance.ref, "R")
    assert json.loads(body_of(ask("GET", url)))["phase"] == "R"
    store.mark_ready(instance.ref, agent.address, "token", 1.0)
    assert json.loads(body_of(ask("GET", url)))["state"] == "READY"
    assert ask("GET", "/hello/?q=1", BROWSER)["statusCode"] == 200
    assert agent.got[0].path == "/app/?q=1"


@pytest.mark.parametrize("sanitize", [True, False])
def test_a_failed_start_is_told_and_what_r_said_only_if_the_app_says_so(sanitize: bool) -> None:
    published(sanitize_errors=sanitize)
    ask("GET", "/hello/", BROWSER)
    instance = next(Instance.scan())
    cause = "R ended with exit status 1.\n\nError in library(nope)"
    store.mark_stopped(instance.ref, {"error": "AppStartFailed", "cause": cause}, 1.0)
    status = json.loads(
        body_of(ask("GET", f"/hello/__sheen__/start?instance={instance.instance_id}"))
    )
    assert status["state"] == "STOPPED"
    assert status["failure"]["title"] == "The app stopped while it was starting"
    assert status["failure"]["detail"].startswith("R ended with exit status 1.")
    assert ("Error in library(nope)" in status["failure"]["detail"]) is not sanitize
    assert "sanitize_errors" not in status["failure"]["detail"], "a visitor cannot set it"


def test_a_failure_that_sheen_has_no_sentence_for_keeps_its_cause_from_visitors() -> None:
    published(sanitize_errors=True)
    ask("GET", "/hello/", BROWSER)
    instance = next(Instance.scan())
    store.mark_stopped(
        instance.ref, {"error": "States.TaskFailed", "cause": "arn:aws:ecs:secret"}, 1.0
    )
    status = json.loads(
        body_of(ask("GET", f"/hello/__sheen__/start?instance={instance.instance_id}"))
    )
    assert "arn:aws" not in status["failure"]["detail"]


def test_the_status_of_an_instance_that_is_no_more_makes_the_page_load_again() -> None:
    published()
    assert ask("GET", "/hello/__sheen__/start?instance=0000")["statusCode"] == 410


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        ("HEAD", []),
        ("OPTIONS", [("Origin", "https://else.where")]),
        ("GET", [("Sec-Fetch-Dest", "image"), ("Accept", "image/*")]),
        ("GET", [("Sec-Fetch-Dest", "empty"), ("Sec-Fetch-Mode", "cors")]),
        (
            "GET",
            [
                (
                    "User-Agent",
                    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
                )
            ],
        ),
        ("GET", [("Purpose", "prefetch")]),
        ("GET", [*BROWSER, ("Sec-Purpose", "prefetch;prerender")]),
        ("GET", [*BROWSER, ("X-Moz", "prefetch")]),
    ],
)
def test_what_no_person_and_no_program_waits_for_starts_nothing(
    method: str, headers: list[tuple[str, str]]
) -> None:
    published()
    answer = ask(method, "/hello/", headers)
    assert answer["statusCode"] == 503
    assert header_of(answer, "retry-after")
    assert list(Instance.scan()) == []


def test_a_crawler_learns_what_is_there_and_starts_nothing(agent: StandinAgent) -> None:
    version_id = published()
    crawler = [
        *BROWSER,
        ("User-Agent", "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)"),
    ]
    answer = ask("GET", "/hello/", crawler)
    assert (answer["statusCode"], header_of(answer, "x-robots-tag")) == (200, ["noindex, nofollow"])
    assert "<title>Hello</title>" in body_of(answer).decode()
    assert list(Instance.scan()) == []
    ready = running(version_id, agent)
    assert ask("GET", "/hello/", crawler)["statusCode"] == 200
    row = store.get(ready.ref)
    assert row is not None
    assert store.seats_of(row) == {}, "a seat is for somebody who stays"
    assert agent.got == []


def test_crawlers_are_kept_out_unless_the_app_at_the_root_says_otherwise(
    agent: StandinAgent,
) -> None:
    crawler = [("User-Agent", "Googlebot/2.1")]
    assert body_of(ask("GET", "/robots.txt", crawler)) == b"User-agent: *\nDisallow: /\n"
    version_id = published("/")
    assert body_of(ask("GET", "/robots.txt", crawler)) == b"User-agent: *\nDisallow: /\n"
    assert list(Instance.scan()) == []
    running(version_id, agent)
    agent.answer = lambda got: Say(404)
    assert b"Disallow: /\n" in body_of(ask("GET", "/robots.txt", crawler))
    agent.answer = lambda got: Say(body=b"Allow: /")
    assert body_of(ask("GET", "/robots.txt", crawler)) == b"Allow: /"
    assert agent.got[-1].path == "/app/robots.txt"


@pytest.mark.parametrize(
    ("method", "accept"), [("GET", "*/*"), ("GET", "application/json"), ("POST", "*/*")]
)
def test_a_programs_request_starts_the_app_once_and_is_asked_to_come_again(
    method: str, accept: str
) -> None:
    published()
    for _ in range(3):
        answer = ask(method, "/hello/data.json", [("Accept", accept), ("User-Agent", "curl/8")])
        assert answer["statusCode"] == 503
        assert header_of(answer, "retry-after")
    assert len(list(Instance.scan())) == 1


def test_a_deployment_with_no_machine_left_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHEEN_MOST_INSTANCES", "1")
    published("/a"), published("/b")
    assert ask("GET", "/a/", BROWSER)["statusCode"] == 202
    for headers in (BROWSER, []):
        answer = ask("GET", "/b/", headers)
        assert (answer["statusCode"], header_of(answer, "retry-after")) == (503, ["30"])
    assert len(list(Instance.scan())) == 1


def test_a_full_app_says_so(agent: StandinAgent) -> None:
    version_id = published(simple_scheduler=1)
    claimed = store.claim(version_id, 0, app="/hello", capacity=1, now=lambdas.here.clock())
    assert claimed is not None
    store.mark_ready(claimed.ref, agent.address, "token", 1.0)
    assert ask("GET", "/hello/", BROWSER)["statusCode"] == 200
    full = ask("GET", "/hello/?x=1", BROWSER, stage="/prod")
    assert full["statusCode"] == 503
    (cookie,) = header_of(full, "set-cookie")
    name, _, place = cookie.partition(";")[0].partition("=")
    assert "Path=/prod/hello/; Max-Age=3600; HttpOnly; SameSite=Lax" in cookie
    url = f"/hello/__sheen__/queue?place={place}"
    assert url in unescape(body_of(full).decode())
    assert json.loads(body_of(ask("GET", url))) == {"state": "wait", "before": 0, "again_in": 2.0}
    assert header_of(
        ask("GET", "/hello/", [*BROWSER, ("X-Forwarded-Proto", "https")]), "set-cookie"
    )[0].endswith("SameSite=None; Secure; Partitioned")
    row = store.get(claimed.ref)
    assert row is not None
    store.give_back(row.ref, next(iter(store.seats_of(row))))
    assert json.loads(body_of(ask("GET", url)))["state"] == "enter"
    assert ask("GET", "/hello/", BROWSER)["statusCode"] == 503, "the queue comes first"
    entered = ask("GET", "/hello/?x=1", [*BROWSER, ("Cookie", f"a=b; {name}={place}")])
    assert entered["statusCode"] == 200
    assert any(
        cookie.startswith(f"{name}=; Path=/hello/; Max-Age=0")
        for cookie in header_of(entered, "set-cookie")
    )


def test_a_session_url_goes_to_its_own_r_process_also_after_a_new_version(
    agent: StandinAgent,
) -> None:
    version_id = published()
    running(version_id, agent)
    activate("/hello", "20261120T140000Z-0000", "2")
    assert (
        ask("GET", f"/hello/session/abc/download/x?w={VERSION}.0.1", BROWSER)["statusCode"] == 200
    )
    assert ask("GET", f"/hello/__sockjs__/n=abc/w={VERSION}.0.1/xhr")["statusCode"] == 200
    assert ask("GET", f"/hello/session/abc/download/x?w={VERSION}.1.1")["statusCode"] == 410
    assert [got.path.split("?")[0] for got in agent.got] == [
        "/app/session/abc/download/x",
        f"/app/__sockjs__/n=abc/w={VERSION}.0.1/xhr",
    ]


def spare(agent_address: str) -> Instance:
    claimed = spares.claim("large", lambdas.here.clock())
    return store.mark_ready(claimed.ref, agent_address, "token", lambdas.here.clock())


def test_a_spares_agent_is_bound_before_the_first_visitors_page_and_once(
    agent: StandinAgent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHEEN_SPARES", "large=1")
    version_id = published()
    instance = spare(agent.address)
    for _ in range(2):
        assert ask("GET", "/hello/", BROWSER)["statusCode"] == 200
    assert [(got.method, got.path) for got in agent.got] == [
        ("POST", "/bind"),
        ("GET", "/app/"),
        ("GET", "/app/"),
    ]
    assert json.loads(agent.got[0].body) == {"instance": f"{version_id}/0/{instance.instance_id}"}
    assert agent.got[0].header("sheen-agent-key") == key_for(instance.secret, Purpose.AGENT)


@pytest.mark.parametrize("answers", [False, True])
def test_a_spare_whose_agent_cannot_be_had_is_given_up_for_a_normal_start(
    agent: StandinAgent, monkeypatch: pytest.MonkeyPatch, answers: bool
) -> None:
    monkeypatch.setenv("SHEEN_SPARES", "large=1")
    published()
    agent.answer = lambda got: Say(409)
    gone = spare(agent.address if answers else "127.0.0.1:1")
    assert ask("GET", "/hello/", BROWSER)["statusCode"] == 202
    row = store.get(gone.ref)
    assert row is not None
    assert (row.state, row.failure["error"]) == ("STOPPED", "SpareGone")
    (fresh,) = [row for row in store.everywhere() if row.state == "STARTING"]
    assert fresh.was_spare is None


def test_an_archived_app_lets_nobody_in_and_starts_nothing(agent: StandinAgent) -> None:
    running(published(), agent)
    life.archive("/hello", 1.0)
    assert ask("GET", "/hello/", BROWSER)["statusCode"] == 404
    assert agent.got == []
    assert b"/hello" not in body_of(ask("GET", "/", BROWSER))
    life.restore("/hello", 2.0)
    lambdas.here.visits._directory.forget()
    assert ask("GET", "/hello/", BROWSER)["statusCode"] == 200


@pytest.mark.parametrize(
    "hidden", ["private", "archived", "private, with a setting of another release"]
)
def test_a_hidden_app_looks_as_if_it_were_not_there(
    agent: StandinAgent, dynamodb_calls: Counter[str], no_time_passes: None, hidden: str
) -> None:
    """Also by what the tables are asked, which is what its time goes into."""
    requests: list[tuple[str, str, list[tuple[str, str]]]] = [
        ("GET", "/hello/", BROWSER),
        ("GET", "/hello", BROWSER),
        ("GET", "/hello/x.css", []),
        ("POST", "/hello/x", []),
        ("GET", "/hello/__sheen__/start?instance=1", []),
        ("GET", "/hello/__sheen__/queue?place=1", []),
        ("POST", f"/hello/__sockjs__/n=abc/w={VERSION}.0.1/xhr", []),
    ]

    def asked(
        request: tuple[str, str, list[tuple[str, str]]],
    ) -> tuple[dict[str, Any], dict[str, int]]:
        dynamodb_calls.clear()
        return ask(*request), dict(dynamodb_calls)

    missing = [asked(request) for request in requests]
    kept_away = {"archived": {}, "private": {"visibility": "private"}}.get(
        hidden, {"visibility": "private", "gone": 1}
    )
    running(published(**kept_away), agent)
    if hidden == "archived":
        life.archive("/hello", 1.0)
    for request, before in zip(requests, missing, strict=True):
        assert before[0]["statusCode"] == 404
        assert asked(request) == before, request
    assert agent.got == []


def test_below_an_app_a_hidden_one_looks_as_if_it_were_not_there_too(agent: StandinAgent) -> None:
    running(published(), agent)
    published("/hello/secret", visibility="private")
    for _ in range(2):  # also from memory
        assert ask("GET", "/hello/secret/x.csv", [])["statusCode"] == 200
    assert [got.path for got in agent.got] == ["/app/secret/x.csv"] * 2


@pytest.mark.parametrize(
    ("visibility", "status", "listed"),
    [("public", 200, True), ("unlisted", 200, False), ("private", 404, False)],
)
def test_who_may_see_an_app(
    agent: StandinAgent, visibility: str, status: int, listed: bool
) -> None:
    running(published(visibility=visibility), agent)
    assert (b"/hello" in body_of(ask("GET", "/", BROWSER))) is listed
    for url in ("/hello/", "/hello/x.css"):
        assert ask("GET", url, BROWSER)["statusCode"] == status


def test_a_location_without_its_slash_is_sent_on_below_the_stage_too() -> None:
    published()
    answer = ask("GET", "/hello?x=1&x=2", BROWSER, stage="/prod")
    assert (answer["statusCode"], header_of(answer, "location")) == (307, ["/prod/hello/?x=1&x=2"])


def test_nothing_published_here() -> None:
    assert ask("GET", "/nowhere/", BROWSER)["statusCode"] == 404
    assert ask("GET", "/nowhere/../hello", BROWSER)["statusCode"] == 400


def test_the_root_lists_the_apps(agent: StandinAgent) -> None:
    running(published(), agent)
    published("/team/sales")
    page = body_of(ask("GET", "/", BROWSER, stage="/prod")).decode()
    assert "/prod/hello/" in page
    assert "/prod/team/sales/" in page


def test_the_list_calls_apps_by_their_titles_and_tells_nobody_how_many_visitors_they_have(
    agent: StandinAgent,
) -> None:
    running(published(title="Sales, by <month>"), agent)
    published("/team/breast-cancer"), published("/hidden", visibility="unlisted")
    ask("GET", "/hello/", BROWSER)
    page = body_of(ask("GET", "/", BROWSER)).decode()
    assert re.findall(r"<bdi>([^<]+)</bdi></b>", page) == [
        "Sales, by &lt;month&gt;",
        "Breast cancer",
    ]
    assert re.findall(r'<span class="state \w+">([^<]+)<', page) == ["Awake", "Sleeping"]
    assert "/hidden/" not in page
    assert "session" not in re.sub(r"<script>.*?</script>", "", page, flags=re.DOTALL)
    one = body_of(ask("GET", "/?q=BREAST", BROWSER)).decode()
    assert re.findall(r"<bdi>([^<]+)</bdi></b>", one) == ["Breast cancer"]


def test_however_many_ask_for_what_anybody_may_see_the_tables_are_read_once(
    dynamodb_calls: Counter[str],
) -> None:
    published()
    dynamodb_calls.clear()
    for _ in range(3):
        lambdas.here = Environment()
        for _ in range(5):
            assert ask("GET", "/", BROWSER)["statusCode"] == 200
            assert ask("GET", "/__health-check__")["statusCode"] == 200
    assert dynamodb_calls["Scan"] == 2, "apps and instances, for all environments"
    assert dynamodb_calls["GetItem"] == 3, "once in each"


def test_the_health_check_counts(agent: StandinAgent) -> None:
    running(published(), agent)
    ask("GET", "/hello/", BROWSER)
    assert body_of(ask("GET", "/__health-check__")).decode().splitlines() == [
        f"server-version: {version.VERSION}",
        "active-connections: 1",
        "active-apps: 1",
        "active-processes: 1",
        "cpu-percent: 0",
        "memory-percent: 0",
        "swap-percent: 0",
        "load-average: 0",
    ]
    assert ask("GET", "/__health-check__/json")["statusCode"] == 404


def test_ping_is_answered_unless_something_else_is_there(agent: StandinAgent) -> None:
    answer = ask("GET", "/ping")
    assert (answer["statusCode"], body_of(answer)) == (200, b"OK")
    published("/ping")
    assert ask("GET", "/ping", BROWSER)["statusCode"] == 307


def test_an_agent_that_is_gone_is_looked_up_again(agent: StandinAgent) -> None:
    version_id = published()
    first = running(version_id, agent)
    ask("GET", "/hello/", BROWSER)
    store.mark_stopped(first.ref, None, 1.0)
    second = store.claim(
        version_id, 0, app="/hello", capacity=9, now=1.0, seen=store.in_slot(version_id, 0)
    )
    assert second is not None
    store.mark_ready(second.ref, agent.address, "token", 1.0)

    def only_second(got: Got) -> Say:
        mine = got.header("sheen-instance") == second.instance_id
        return Say() if mine else Say(410, [("sheen-refused", "another instance")])

    agent.answer = only_second
    assert ask("GET", "/hello/x.css")["statusCode"] == 200
    assert ask("GET", "/hello/", BROWSER)["statusCode"] == 200


def test_a_visitor_just_after_a_new_version_gets_that_version(agent: StandinAgent) -> None:
    old = running(published(), agent)
    ask("GET", "/hello/", BROWSER)
    activate("/hello", "20261120T140000Z-0000", "2")
    new = running(str(VersionId(apps.get("/hello").app_id, "20261120T140000Z-0000")), agent)

    def old_one_retired(got: Got) -> Say:
        return (
            Say(410, [("sheen-refused", "retired")])
            if got.header("sheen-instance") == old.instance_id
            else Say()
        )

    agent.answer = old_one_retired
    assert ask("GET", "/hello/", BROWSER)["statusCode"] == 200
    assert agent.got[-1].header("sheen-instance") == new.instance_id


def test_an_app_that_was_archived_just_now_lets_nobody_in(agent: StandinAgent) -> None:
    running(published(), agent)
    ask("GET", "/hello/", BROWSER)
    life.archive("/hello", 1.0)
    agent.answer = lambda got: Say(410, [("sheen-refused", "retired")])
    assert ask("GET", "/hello/", BROWSER)["statusCode"] == 404


def test_a_machine_that_died_keeps_nobody_from_the_others(agent: StandinAgent) -> None:
    version_id = published(max_instances=2)
    dead, alive = running(version_id, agent), running(version_id, agent, slot=1)
    store.mark_ready(dead.ref, "127.0.0.1:1", "token", 1.0)
    store.take_seat(alive.ref, "somebody", lambdas.here.clock() + 99)
    assert ask("GET", "/hello/", BROWSER)["statusCode"] == 200
    assert ask("GET", "/hello/x.css")["statusCode"] == 200
    assert {got.header("sheen-instance") for got in agent.got} == {alive.instance_id}
    row = store.get(dead.ref)
    assert row is not None
    assert store.seats_of(row) == {}


@pytest.mark.parametrize(("dead", "status"), [(2, 200), (3, 503)])
def test_a_page_tries_the_next_instance_twice_and_then_says_so(
    agent: StandinAgent, dead: int, status: int
) -> None:
    version_id = published(max_instances=4)
    rows = [running(version_id, agent, slot) for slot in range(dead + 1)]
    for row in rows[:-1]:
        store.mark_ready(row.ref, "127.0.0.1:1", "token", 1.0)
    store.take_seat(rows[-1].ref, "somebody", lambdas.here.clock() + 99)
    assert ask("GET", "/hello/", BROWSER)["statusCode"] == status
    for row in rows[:-1]:
        left = store.get(row.ref)
        assert left is not None
        assert store.seats_of(left) == {}


def test_an_agent_that_cannot_be_reached_is_told_and_its_seat_given_back(
    agent: StandinAgent,
) -> None:
    instance = running(published(), agent)
    agent.answer = lambda got: Say(403, [("sheen-refused", "no")])
    answer = ask("GET", "/hello/", BROWSER)
    assert answer["statusCode"] == 503
    assert b"gone" in body_of(answer)
    row = store.get(instance.ref)
    assert row is not None
    assert store.seats_of(row) == {}


def test_what_breaks_inside_is_a_page_with_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(directory, "read_together", lambda wanted: 1 / 0)
    answer = ask("GET", "/hello/", BROWSER)
    assert answer["statusCode"] == 500
    assert b"request-1" in body_of(answer)
