"""Access logs: a line for each request and each connection, without anybody's passes."""

from __future__ import annotations

import json
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

import app as lambdas
from chalicelib.instances import store as instances
from chalicelib.instances.model import VersionId
from chalicelib.lambdas.environment import Environment
from chalicelib.sessions.connections import store as connections
from chalicelib.visits.logging_visits import redacted
from tests.chalicelib.standin_agent import StandinAgent
from tests.chalicelib.visits.configured import apply, ask, clear, publish

FILE = "run_as shiny; log_dir /l; {} server {{ listen 80; location /x {{ site_dir /srv; }} }}"
TINY = 'access_log /var/log/a.log ":method :url :status :res[content-length] :remote-addr";'
AGENT = (
    'access_log /b.log ":user-agent|:req[cookie]|:req[authorization]|:referrer|:res[set-cookie]";'
)


@pytest.fixture(autouse=True)
def environment(dynamodb_calls: Counter[str], monkeypatch: pytest.MonkeyPatch) -> None:
    fresh = Environment()
    monkeypatch.setattr(lambdas, "here", fresh)
    clear()
    fresh.bind()


def lines(capsys: pytest.CaptureFixture[str]) -> list[tuple[str, str]]:
    out = [json.loads(each) for each in capsys.readouterr().out.splitlines() if each[0] == "{"]
    return [(each["access_log"], each["line"]) for each in out if "access_log" in each]


def test_each_request_is_a_line_in_each_log(
    agent: StandinAgent, capsys: pytest.CaptureFixture[str]
) -> None:
    publish("/hello", agent)
    ask("/hello/a.css?x=1")
    assert lines(capsys) == [], "no configuration, no log"
    apply(FILE.format(TINY + AGENT))
    ask("/hello/a.css?x=1&y=%20", [("User-Agent", 'a"b'), ("Cookie", "c=1")])
    ask("/gone")
    found = lines(capsys)
    by_log = {path: [line for at, line in found if at == path] for path, _ in found}
    assert by_log["/b.log"][0] == 'a\\"b|-|-|-|-'
    first, second = by_log["/var/log/a.log"]
    assert first.startswith("GET /hello/a.css?x=1&y=%20 200 2 ")
    assert second.startswith("GET /gone 404 ")
    apply(FILE.format(""), "2")
    ask("/gone")
    assert lines(capsys) == []


def test_a_connection_that_ends_is_a_line_with_its_duration(
    agent: StandinAgent, capsys: pytest.CaptureFixture[str]
) -> None:
    app = publish("/hello", agent)
    apply(FILE.format('access_log /s.log ":method :url :status :response-time[0] :remote-addr";'))
    (instance,) = instances.of_version(str(VersionId(app.app_id, app.active_version or "")))
    now = lambdas.here.clock()
    connections.add("one=", instance.ref, "session", now - 5)
    event = {"requestContext": {"connectionId": "one=", "identity": {"sourceIp": "192.0.2.7"}}}
    lambdas.here.connections.disconnect(event)
    ((path, line),) = lines(capsys)
    assert path == "/s.log"
    words = line.split()
    assert words[:3] == ["GET", "/hello/websocket/", "101"] and words[4] == "192.0.2.7"
    assert 5000 <= int(words[3]) < 65000
    assert connections.find("one=") is None
    lambdas.here.connections.disconnect(event)
    assert lines(capsys) == [], "once for each connection"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("/a/session/0f0f0f0f/upload/1?w=v1.0.0", "/a/session/-/upload/1?w=v1.0.0"),
        ("/a/__sheen__/pages/TOKEN?w=1", "/a/__sheen__/pages/-"),
        ("/a/__sheen__/start?instance=1", "/a/__sheen__/start"),
        ("/a/__sheen__/uploads/JOB/x?w=1", "/a/__sheen__/uploads/-"),
        ("/a/__sockjs__/o=ID/t=T/w/s=0/9/SESSION/xhr", "/a/__sockjs__/-/xhr"),
        ("/a/__sockjs__/info", "/a/__sockjs__/info"),
        ("/a/?place=1&code=x", "/a/?place=1&code=x"),
    ],
)
def test_passes_are_left_out(url: str, shown: str) -> None:
    assert redacted(url) == shown


@given(st.text(alphabet="/_sheensockjs=?#abn", max_size=60))
def test_no_secret_after_our_own_segments_survives(text: str) -> None:
    assert "SECRET" not in redacted(f"/x/__sheen__/pages/{text}SECRET?a")
    assert "SECRET" not in redacted("/a/session/SECRET/" + text)
