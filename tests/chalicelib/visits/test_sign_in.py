"""Signing in and out, and who gets in, through ``app(event, context)`` with true rows."""

import html
import json
import re
from collections import Counter
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import pytest

import app as lambdas
from chalicelib.agents import protocol
from chalicelib.apps import store as apps
from chalicelib.apps import versions
from chalicelib.errands import rows
from chalicelib.errands.model import Errand
from chalicelib.identity import attempts, passwords, users
from chalicelib.identity.model import Attempts, Login
from chalicelib.identity.names import Role
from chalicelib.identity.passwords import PasswordHash
from chalicelib.instances import store
from chalicelib.instances.model import VersionId
from chalicelib.lambdas.environment import Environment
from tests.chalicelib.proxy_events import Context, body_of, header_of, rest_event
from tests.chalicelib.standin_agent import StandinAgent

VERSION = "20261120T133144Z-3f9a"
PASSWORD = "correct horse battery"
HOST = "apps.example.org"
SAME = [("Sec-Fetch-Site", "same-origin"), ("Origin", f"https://{HOST}")]
PAGE = [
    ("Accept", "text/html,*/*;q=0.8"),
    ("Sec-Fetch-Dest", "document"),
    ("Sec-Fetch-Mode", "navigate"),
]
CHEAP = 8
"""Log2 of the cost of a hash: that checking takes long is another test's matter."""
HASH = str(PasswordHash(CHEAP, 8, 1, bytes(32), b"").made(PASSWORD))


def shown(answer: dict[str, Any]) -> str:
    return html.unescape(body_of(answer).decode())


class Browser:
    """Keeps cookies, and sends what a browser sends."""

    def __init__(self, stage: str = "/prod") -> None:
        self.cookies: dict[str, str] = {}
        self.stage = stage

    def ask(
        self,
        method: str,
        url: str,
        headers: list[tuple[str, str]] | None = None,
        body: bytes = b"",
    ) -> dict[str, Any]:
        every = [("Host", HOST), ("X-Forwarded-Proto", "https"), ("X-Forwarded-For", "192.0.2.1")]
        every += headers if headers is not None else PAGE
        if self.cookies:
            every.append(("Cookie", "; ".join(f"{k}={v}" for k, v in self.cookies.items())))
        answer: dict[str, Any] = lambdas.app(
            rest_event(method, url, every, body, self.stage), Context()
        )
        for cookie in header_of(answer, "set-cookie"):
            assert "HttpOnly" in cookie
            name, _, value = cookie.partition(";")[0].partition("=")
            self.cookies[name] = value
            if "Max-Age=0" in cookie:
                del self.cookies[name]
        return answer

    def send(self, path: str, more: list[tuple[str, str]] = SAME, **fields: str) -> dict[str, Any]:
        """Open a form and send it; ``fields`` replace its own."""
        page = shown(self.ask("GET", path))
        hidden = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page))
        form = [*PAGE, ("Content-Type", "application/x-www-form-urlencoded"), *more]
        return self.ask("POST", path.partition("?")[0], form, urlencode(hidden | fields).encode())

    def sign_in(self, name: str = "kim", path: str = "/__login__", **more: str) -> dict[str, Any]:
        return self.send(path, SAME, **{"name": name, "password": PASSWORD} | more)


@pytest.fixture(autouse=True)
def deployment(dynamodb_calls: Counter[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A deployment whose stream of errands delivers at once."""
    monkeypatch.setattr(lambdas, "here", Environment())
    add = rows.add

    def added(errand: Errand, now: float) -> bool:
        done = add(errand, now)
        record = {
            "eventName": "INSERT",
            "dynamodb": {"Keys": {"id": {"S": errand.id}}, "SequenceNumber": "1"},
        }
        assert not lambdas.here.sign_ins.on_change([record])["batchItemFailures"]
        return done

    monkeypatch.setattr(rows, "add", added)
    monkeypatch.setattr(passwords, "LOG_N", CHEAP)
    monkeypatch.setattr(passwords, "_NOBODY", PasswordHash(CHEAP, 8, 1, bytes(32), bytes(32)))
    for name, role, groups in (
        ("kim", Role.VIEWER, ["sales"]),
        ("tom", Role.VIEWER, []),
        ("root", Role.ADMIN, []),
    ):
        users.add(name, role, groups, HASH, 1.0)


def published(location: str, agent: StandinAgent, **settings: object) -> None:
    app = apps.ensure(location, 1.0)
    versions.add(app.app_id, VERSION, bundle="b", kind="app.R", source="", settings={}, now=1.0)
    assert versions.activate(location, VERSION, "1", 1.0)
    app.refresh()
    app.settings = settings
    app.save()
    claimed = store.claim(
        str(VersionId(app.app_id, VERSION)),
        0,
        app=location,
        capacity=100,
        now=lambdas.here.clock(),
    )
    assert claimed is not None
    store.mark_ready(claimed.ref, agent.address, "token", lambdas.here.clock())


def test_a_visitor_signs_in_and_comes_back_to_the_app(agent: StandinAgent) -> None:
    published("/sales", agent, visibility="signed-in")
    browser = Browser()
    sent = browser.ask("GET", "/sales/?a=1")
    assert sent["statusCode"] == 303
    (login,) = header_of(sent, "location")
    assert login == "/prod/__login__?next=/prod/sales/%3Fa%3D1"
    back = browser.sign_in(path=login.removeprefix("/prod"))
    assert (back["statusCode"], header_of(back, "location")) == (303, ["/prod/sales/?a=1"])
    assert "__Host-sheen-login" in browser.cookies
    assert browser.ask("GET", "/sales/?a=1")["statusCode"] == 200
    asked = agent.got[-1]
    assert protocol.user_of(v for n, v in asked.headers if n == protocol.USER) == (
        "kim",
        ["sales"],
    )


def test_a_signed_in_page_costs_two_calls_and_its_files_none(
    agent: StandinAgent, dynamodb_calls: Counter[str]
) -> None:
    published("/sales", agent, visibility="private", required_group=["sales"])
    browser = Browser()
    browser.sign_in()
    lambdas.here = Environment()
    browser.ask("GET", "/sales/")
    lambdas.here = Environment()
    dynamodb_calls.clear()
    assert browser.ask("GET", "/sales/")["statusCode"] == 200
    assert dynamodb_calls["BatchGetItem"] == 1
    dynamodb_calls.clear()
    assert browser.ask("GET", "/sales/x.css", [])["statusCode"] == 200
    assert browser.ask("GET", "/sales/y.css", [])["statusCode"] == 200
    assert not dynamodb_calls


@pytest.mark.parametrize(
    ("method", "url"),
    [
        ("GET", "/sales/x.css"),
        ("OPTIONS", "/sales/"),
        ("POST", "/sales/session/abc/upload/1?w=x"),
        ("POST", "/sales/__sheen__/uploads"),
        ("GET", "/sales/__sheen__/start?instance=x"),
        ("POST", "/sales/__sockjs__/n=abc/xhr"),
    ],
)
def test_what_is_no_page_is_refused_by_status(agent: StandinAgent, method: str, url: str) -> None:
    published("/sales", agent, required_user=["kim"])
    anonymous, other = Browser(), Browser()
    other.sign_in("tom")
    assert anonymous.ask(method, url, [])["statusCode"] == 401
    assert other.ask(method, url, [])["statusCode"] == 403
    assert agent.got == []


def test_who_is_not_let_in_is_told_who_they_are(agent: StandinAgent) -> None:
    published("/sales", agent, required_user=["kim"])
    browser = Browser()
    browser.sign_in("tom")
    answer = browser.ask("GET", "/sales/")
    page = shown(answer)
    assert answer["statusCode"] == 403
    assert "tom" in page
    assert "/prod/__login__?next=/prod/sales/" in page
    browser.sign_in("kim")
    assert browser.ask("GET", "/sales/")["statusCode"] == 200


def test_to_who_is_not_signed_in_a_private_app_is_not_there(agent: StandinAgent) -> None:
    browser = Browser()
    requests = [("GET", "/sales/", PAGE), ("GET", "/sales/x.css", []), ("POST", "/sales/", [])]
    missing = [browser.ask(*request) for request in requests]
    published("/sales", agent, visibility="private", viewers=["kim"])
    assert [browser.ask(*request) for request in requests] == missing
    assert "__login__?next=/prod/sales/" in shown(missing[0])
    for name, status in (("kim", 200), ("tom", 403), ("root", 200)):
        signed_in = Browser()
        signed_in.sign_in(name)
        assert signed_in.ask("GET", "/sales/")["statusCode"] == status


def test_the_list_shows_what_one_may_see(agent: StandinAgent) -> None:
    published("/a-public", agent)
    published("/b-users", agent, visibility="signed-in")
    published("/c-kims", agent, visibility="private", viewers=["kim"])
    published("/d-unlisted", agent, visibility="unlisted")

    def listed(browser: Browser) -> list[str]:
        found = re.findall(rb'href="/prod/(\w-\w+)/"', body_of(browser.ask("GET", "/")))
        return [each.decode() for each in found]

    kim, tom = Browser(), Browser()
    kim.sign_in("kim"), tom.sign_in("tom")
    assert listed(Browser()) == ["a-public"]
    assert listed(tom) == ["a-public", "b-users"]
    assert listed(kim) == ["a-public", "b-users", "c-kims"]
    assert b"kim" in body_of(kim.ask("GET", "/"))


@pytest.mark.parametrize("name", ["kim", "nobody", "KIM", "kim*", "k\u0130m", "\uff4bim", "a:b"])
def test_wrong_ones_get_the_same_words(name: str) -> None:
    answer = Browser().sign_in(name, password="wrong password")
    assert answer["statusCode"] == 401
    assert b"do not belong together" in body_of(answer)
    assert not header_of(answer, "set-cookie")


@pytest.mark.parametrize("password", ["", " ", "\0", "x" * 1025, "x" * 20_000])
def test_an_empty_or_long_password_is_wrong(password: str) -> None:
    assert Browser().sign_in(password=password)["statusCode"] in (401, 403)
    assert not Login.count()


@pytest.mark.parametrize(
    "more",
    [
        [("Sec-Fetch-Site", "cross-site"), ("Origin", "https://evil.example")],
        [("Sec-Fetch-Site", "same-site"), ("Origin", "https://evil.example.org")],
        [("Sec-Fetch-Mode", "no-cors")],
        [("Origin", "https://evil.example")],
        [("Content-Type", "text/plain")],
    ],
)
def test_a_form_of_another_page_does_nothing(more: list[tuple[str, str]]) -> None:
    browser = Browser()
    answer = browser.send("/__login__", more, name="kim", password=PASSWORD)
    assert answer["statusCode"] == 403
    assert not Login.count()
    browser.sign_in()
    assert browser.send("/__logout__", more)["statusCode"] == 403
    assert Login.count() == 1


def test_a_form_needs_its_token() -> None:
    assert Browser().sign_in(token="x" * 43)["statusCode"] == 403
    assert Browser().sign_in(token="")["statusCode"] == 403


def test_a_script_of_an_app_cannot_read_the_form() -> None:
    for headers in (
        [("Sec-Fetch-Mode", "cors"), ("Sec-Fetch-Dest", "empty")],
        [("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Dest", "iframe")],
    ):
        assert Browser().ask("GET", "/__login__", headers)["statusCode"] == 403
    answer = Browser().ask("GET", "/__login__")
    assert header_of(answer, "x-frame-options") == ["DENY"]
    assert header_of(answer, "cross-origin-opener-policy") == ["same-origin"]
    assert header_of(answer, "cache-control") == ["no-store"]


@pytest.mark.parametrize("next_", ["//evil.example/", "https://evil.example/", "/prod/__logout__"])
def test_after_signing_in_one_stays_here(next_: str) -> None:
    assert header_of(Browser().sign_in(next=next_), "location") == ["/prod/"]


def test_a_login_that_a_stranger_chose_is_never_signed_in() -> None:
    browser = Browser()
    browser.cookies["__Host-sheen-login"] = "a" * 43
    browser.sign_in()
    first = browser.cookies["__Host-sheen-login"]
    assert first != "a" * 43
    browser.sign_in()
    assert browser.cookies["__Host-sheen-login"] != first
    assert Login.count() == 1


def test_of_two_login_cookies_neither_counts(agent: StandinAgent) -> None:
    published("/sales", agent, visibility="signed-in")
    browser = Browser()
    browser.sign_in()
    headers = [*PAGE, ("Cookie", f"__Host-sheen-login={'b' * 43}")]
    assert browser.ask("GET", "/sales/", headers)["statusCode"] == 303


def test_too_many_wrong_ones_wait_and_others_do_not() -> None:
    browser = Browser()
    tries = [browser.sign_in(password="wrong password") for _ in range(attempts.MOST_OF_BOTH + 1)]
    assert [each["statusCode"] for each in tries] == [401] * attempts.MOST_OF_BOTH + [429]
    assert int(header_of(tries[-1], "retry-after")[0]) > 0
    assert browser.sign_in()["statusCode"] == 429  # the right one, too
    assert browser.sign_in("tom")["statusCode"] == 303
    assert all(int(row.tries) <= attempts.MOST_OF_BOTH for row in Attempts.scan())


def test_right_ones_are_not_counted() -> None:
    for _ in range(attempts.MOST_OF_BOTH + 2):
        assert Browser().sign_in()["statusCode"] == 303


def test_signing_out_ends_this_login_or_all_of_the_user(agent: StandinAgent) -> None:
    published("/sales", agent, visibility="signed-in")
    here, there, other = Browser(), Browser(), Browser()
    here.sign_in(), there.sign_in(), other.sign_in("tom")
    assert here.ask("GET", "/__logout__")["statusCode"] == 200
    assert Login.count() == 3
    answer = here.send("/__logout__", where="here")
    assert b"You are signed out" in body_of(answer)
    assert "__Host-sheen-login" not in here.cookies
    assert Login.count() == 2
    (told,) = [got for got in agent.got if got.path == protocol.SIGN_OUT]
    assert len(json.loads(told.body)) == 1
    here.sign_in()
    there.send("/__logout__", where="everywhere")
    assert [login.name for login in Login.scan()] == ["tom"]
    assert here.ask("GET", "/sales/")["statusCode"] == 303


def test_a_change_of_the_user_ends_their_logins(agent: StandinAgent) -> None:
    changes: list[Callable[[], list[str]]] = [
        lambda: users.set_locked("kim", True),
        lambda: users.set_locked("kim", False),
        lambda: users.set_role("kim", Role.ADMIN),
        lambda: users.set_groups("kim", ["it"]),
        lambda: users.set_password("kim", HASH),
    ]
    for change in changes:
        browser = Browser()
        locked = users.get("kim").locked
        assert browser.sign_in()["statusCode"] == (401 if locked else 303)
        assert len(change()) == (0 if locked else 1)
        assert not Login.count()
    users.remove("kim")
    assert Browser().sign_in()["statusCode"] == 401


def test_no_password_and_no_cookie_stays_in_a_row() -> None:
    browser = Browser()
    browser.sign_in()
    assert not Errand.count()
    value = browser.cookies["__Host-sheen-login"]
    (login,) = Login.scan()
    assert value not in json.dumps(login.to_simple_dict())
