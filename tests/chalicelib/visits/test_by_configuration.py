"""Requests are answered as the configuration that holds says."""

from collections import Counter
from urllib.parse import unquote, urlsplit

import pytest

import app as lambdas
from chalicelib.apps import linking
from chalicelib.apps.sites import Location, redirect
from chalicelib.configuration.limits import LARGEST_ANSWER
from chalicelib.lambdas.environment import Environment
from chalicelib.unix_ids.model import UnixUser
from chalicelib.visits.by_configuration import ByConfiguration
from tests.chalicelib.proxy_events import body_of, header_of
from tests.chalicelib.standin_agent import StandinAgent
from tests.chalicelib.visits.configured import (
    Folders,
    apply,
    ask,
    clear,
    locations,
    publish,
    write,
)

BROWSER = [("Accept", "text/html")]
SITE = "location / { site_dir /srv; directory_index on; }"


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
    return made


@pytest.fixture
def no_folders_run(folders: Folders) -> None:
    """As on AWS: apps do not run in the folders that a configuration names."""
    lambdas.here.by_configuration._app_in = None


def status(path: str, method: str = "GET") -> int:
    found: int = ask(path, method=method)["statusCode"]
    return found


def location(path: str, stage: str = "") -> tuple[int, str]:
    answer = ask(path, stage=stage)
    return answer["statusCode"], header_of(answer, "location")[0]


def text(path: str) -> str:
    return body_of(ask(path, BROWSER)).decode()


def test_a_file_is_sent_with_its_type_and_what_caches_need() -> None:
    write("/srv/a b.html", body=b"<p>hello")
    apply(locations(SITE))
    answer = ask("/a%20b.html?x=1")
    assert (answer["statusCode"], body_of(answer)) == (200, b"<p>hello")
    assert header_of(answer, "content-type") == ["text/html; charset=UTF-8"]
    assert header_of(answer, "cache-control") == ["public, max-age=0"]
    assert header_of(answer, "accept-ranges") == ["bytes"]
    tag = header_of(answer, "etag")[0]
    again = ask("/a%20b.html", [("If-None-Match", tag)])
    assert (again["statusCode"], body_of(again)) == (304, b"")
    part = ask("/a%20b.html", [("Range", "bytes=3-5")])
    assert (part["statusCode"], body_of(part)) == (206, b"hel")
    assert header_of(part, "content-range") == ["bytes 3-5/8"]
    assert body_of(ask("/a%20b.html", method="POST")) == b"<p>hello"


def test_a_large_file_comes_from_the_bucket() -> None:
    write("/srv/ü.bin", body=b"0" * (LARGEST_ANSWER + 1))
    apply(locations(SITE))
    answer = ask("/%C3%BC.bin")
    assert answer["statusCode"] == 307
    url = urlsplit(header_of(answer, "location")[0])
    assert unquote(url.path) == "/sheen-test/site/srv/ü.bin"
    assert "response-content-type=application%2Foctet-stream" in url.query
    assert header_of(answer, "cache-control") == ["no-store"]
    part = ask("/%C3%BC.bin", [("Range", "bytes=5-9")])
    assert (part["statusCode"], body_of(part)) == (206, b"00000")
    assert ask("/%C3%BC.bin", [("Range", "bytes=0-")])["statusCode"] == 307
    assert ask("/%C3%BC.bin", method="HEAD")["statusCode"] == 307
    assert ask("/%C3%BC.bin", method="POST")["statusCode"] == 303


def test_a_large_page_stays_on_its_host_if_it_fits_compressed() -> None:
    write("/srv/a.html", body=b"0" * (LARGEST_ANSWER + 1))
    apply(locations(SITE))
    answer = ask("/a.html", [("Accept-Encoding", "gzip, br")])
    assert answer["statusCode"] == 200
    assert header_of(answer, "content-encoding") == ["gzip"]
    assert ask("/a.html")["statusCode"] == 307


def test_folders_get_a_slash_an_index_or_a_list() -> None:
    write("/srv/b/index.html", "/srv/c/z.txt", "/srv/c/.hidden", "/srv/c/Y.txt", "/srv/c/sub/x")
    apply(locations(SITE))
    assert location("/b?x=%201") == (301, "/b/?x=%201")
    assert location("/b", stage="/__live") == (301, "/__live/b/")
    assert location("//b") == (301, "/b/"), "no visitor is sent to another host"
    assert text("/b/") == "text"
    listing = text("/c/")
    assert "<title>Index of /c/</title>" in listing
    names = [part.partition('"')[0] for part in listing.split('href="')[1:]]
    assert names[-3:] == ["sub/", "Y.txt", "z.txt"]
    assert ".hidden" not in listing
    apply(locations("location / { site_dir /srv; }"), "2")
    assert status("/c/") == 404


def test_a_name_in_a_listing_is_text_and_leads_nowhere_else() -> None:
    write('/srv/c/<img src=x onerror="alert(1)">', "/srv/c/javascript:alert(1)", "/srv/c/ü #?.txt")
    apply(locations(SITE))
    listing = text("/c/")
    assert "<img" not in listing
    assert 'href="javascript%3Aalert%281%29"' in listing
    assert 'href="%C3%BC%20%23%3F.txt"' in listing
    (policy,) = header_of(ask("/c/"), "content-security-policy")
    assert "script-src 'none'" in policy


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/.git/config", 403),
        ("/c/../a.txt", 403),
        ("/c/%2e%2e/a.txt", 403),
        ("/c%2f..%2fa.txt", 403),
        ("/c%2fz.txt", 404),
        ("/c%5cz.txt", 404),
        ("/%00", 404),
        ("/a.txt%00.html", 404),
        ("/%ff", 404),
        ("/%", 404),
        ("/nothing", 404),
        ("/a.txt/", 404),
        ("/" + "a" * 5000, 404),
        ("/" + "a/" * 2000, 404),
        ("/c/__sheen__/start", 404),
        ("/__sockjs__/info", 404),
        ("/__s%68een__/x", 404),
        ("/robots.txt", 200),
        ("/__health-check__", 200),
    ],
)
def test_what_no_visitor_may_see_and_what_is_always_ours(path: str, expected: int) -> None:
    write("/srv/a.txt", "/srv/.git/config", "/srv/c/z.txt", "/srv/c/__sheen__/start", "/etc/passwd")
    write("/srv/__sockjs__/info")
    apply(locations(SITE))
    assert status(path) == expected


def test_the_sites_own_robots_txt_is_sent() -> None:
    write("/srv/robots.txt", body=b"Allow: /")
    apply(locations(SITE))
    assert text("/robots.txt") == "Allow: /"


def test_redirects_are_sent_as_the_file_has_them() -> None:
    apply(
        locations(
            'location /old { redirect "https://example.org/é?a b" 307 false; }'
            "location /exact { redirect new; } location /odd { redirect /x 999; }"
        )
    )
    assert location("/old/x?y=1") == (307, "https://example.org/%C3%A9?a b")
    assert location("/exact/", stage="/__live") == (302, "new")
    assert body_of(ask("/old", method="POST")) == b""
    assert status("/exact/x") == 404
    assert status("/odd") == 500
    assert status("/old/__sockjs__/info") == 404, "a socket is not redirected"


def test_apps_in_folders_run_as_the_locations_user_with_its_settings(folders: Folders) -> None:
    write("/srv/x y/app.R", "/srv/x y/www/a.txt", "/one/app.py", "~ann/ShinyApps/z/app.R")
    apply(
        "run_as shiny; log_dir /l; frame_options deny; server { listen 80;"
        "location /one { app_dir /one; run_as other; frame_options sameorigin; }"
        "location /users { run_as :HOME_USER:; user_dirs; }"
        "location / { site_dir /srv; } }"
    )
    assert text("/x%20y/a%20b?q=1") == "app /x%20y /a%20b?q=1"
    assert location("/x%20y") == (301, "/x%20y/")
    assert text("/one/") == "app /one /"
    assert text("/users/ann/z/p") == "app /users/ann/z /p"
    assert folders.asked == [
        ("/srv/x y", "shiny"),
        ("/one", "other"),
        ("~ann/ShinyApps/z", "ann"),
    ]
    assert header_of(ask("/one/"), "x-frame-options") == ["sameorigin"]
    assert header_of(ask("/x%20y/"), "x-frame-options") == ["deny"]
    assert status("/one/a/../b") == 400, "no app gets such a path"
    assert status("/users/eve/z/") == 404
    assert status("/users/ann/log/x") == 403


def test_the_folders_of_users_are_shown_to_all_if_the_users_are_in_a_group() -> None:
    write("~ann/ShinyApps/a.txt", "~bob/ShinyApps/a.txt")
    for name, group in (("ann", "staff"), ("bob", "guests")):
        UnixUser(name, unix_id=1, group=1, group_names=[group]).save()
    apply("run_as :HOME_USER:; server { listen 80; location / { user_dirs; members_of staff; } }")
    assert [status(f"/{name}/a.txt") for name in ("ann", "bob", "eve")] == [200, 404, 404]


def test_an_app_without_a_user_says_so() -> None:
    write("/srv/x/app.R")
    apply("run_as :HOME_USER:; log_dir /l; server { listen 80; location / { site_dir /srv; } }")
    answer = ask("/x/", BROWSER)
    assert answer["statusCode"] == 500
    assert "no user to run as" in body_of(answer).decode()


def test_a_published_app_lives_within_the_configuration(agent: StandinAgent) -> None:
    write("/srv/hello/index.html", "/srv/team/x.txt", body=b"file")
    publish("/hello", agent)
    publish("/team/app", agent, frame_options="sameorigin")
    linking.redirect(Location.of("/go"), redirect("/hello/"), 1.0)
    apply(
        "frame_options deny; run_as shiny; log_dir /l; server { listen 80;"
        " location / { site_dir /srv; } location /team/app/data { site_dir /srv/team; } }"
    )
    assert text("/hello/") == "app /hello /"
    assert header_of(ask("/hello/"), "x-frame-options") == ["deny"]
    assert header_of(ask("/team/app/"), "x-frame-options") == ["sameorigin"]
    assert text("/team/app/data/x.txt") == "file", "the nearer location counts"
    assert location("/go") == (302, "/hello/")
    assert text("/team/x.txt") == "file"
    apply(locations("location /hello { site_dir /srv/hello; }"), "2")
    assert text("/hello/") == "file", "the configuration claims the very path"
    assert text("/team/app/") == "app /team/app /"


CLOSED = "required_user bob;"


@pytest.mark.usefixtures("no_folders_run")
def test_where_no_folders_run_their_apps_are_those_published_at_their_paths(
    agent: StandinAgent,
) -> None:
    write("/srv/hello/app.R", "/srv/later/app.R", "/srv/a.txt")
    publish("/hello", agent)
    publish("/one", agent)
    apply(
        "frame_options deny; run_as shiny; log_dir /l; server { listen 80;"
        " location /one { app_dir /apps/one; frame_options sameorigin; }"
        " location / { site_dir /srv; } }"
    )
    assert text("/hello/") == "app /hello /"
    assert text("/one/x") == "app /one /x"
    assert header_of(ask("/one/"), "x-frame-options") == ["sameorigin"]
    assert text("/a.txt") == "text"
    answer = ask("/later/", BROWSER)
    assert answer["statusCode"] == 404
    assert "not published yet" in body_of(answer).decode()


@pytest.mark.parametrize(
    "text",
    [
        f"{CLOSED} server {{ listen 80; location / {{ site_dir /srv; }} }}",
        f"server {{ listen 80; {CLOSED} location / {{ site_dir /srv; }} }}",
        f"server {{ listen 80; location / {{ {CLOSED} site_dir /srv; }} }}",
        f"server {{ listen 80; location / {{ site_dir /srv; location /hello {{ {CLOSED} }} "
        f"location /go {{ {CLOSED} }} location /a.txt {{ {CLOSED} }} }} }}",
        f"{CLOSED} server {{ listen 80; server_name other.example; "
        "location / { site_dir /srv; } }",
    ],
)
def test_what_needs_a_login_is_closed_with_all_that_is_below(
    text: str, agent: StandinAgent
) -> None:
    write("/srv/a.txt")
    publish("/hello", agent)
    linking.redirect(Location.of("/go"), redirect("/hello/"), 1.0)
    apply(f"run_as shiny; log_dir /l; {text}")
    for path in ("/hello/", "/%68ello/", "//hello/", "/hello/a.js", "/hello/__sheen__/start"):
        assert status(path) in (403, 404), path
        assert not agent.got
    assert status("/hello/") == 403
    assert status("/go") == 403
    assert status("/a.txt") == (403 if "other.example" not in text else 404)
    assert "A login is needed here" in body_of(ask("/hello/", BROWSER)).decode()


def test_a_nested_location_can_open_what_is_closed_around_it(agent: StandinAgent) -> None:
    write("/srv/a.txt")
    publish("/hello", agent)
    apply(
        locations(
            "location / { required_user bob; site_dir /srv; location /hello { required_user **; } }"
        )
    )
    assert status("/hello/") == 200
    assert status("/a.txt") == 403


def test_headers_of_the_location_are_added_to_every_answer() -> None:
    write("/srv/a.txt")
    apply(f"set_header X-Site mine; {locations(SITE)}")
    for path in ("/a.txt", "/", "/nothing", "/.x"):
        assert header_of(ask(path), "x-site") == ["mine"], path


def test_hosts_lead_to_their_servers() -> None:
    write("/a/x.txt", "/b/y.txt")
    apply(
        "run_as shiny; log_dir /l;"
        "server { listen 80; server_name a.example; location / { site_dir /a; } }"
        "server { listen 80; server_name b.example; location / { site_dir /b; } }"
    )
    event_host = {"a.example": 200, "b.example": 404, "c.example": 404}
    for host, expected in event_host.items():
        lambdas.here.configuration.forget()
        assert ask("/x.txt", host=host)["statusCode"] == expected, host


def test_a_visit_reads_the_pointer_with_the_locations(dynamodb_calls: Counter[str]) -> None:
    write("/srv/a.txt")
    apply(locations(SITE))
    dynamodb_calls.clear()
    assert status("/a.txt") == 200
    assert dynamodb_calls == {"BatchGetItem": 1}


def test_the_operators_templates_show_pages_and_lists() -> None:
    write("/srv/a.txt")
    apply(
        f"template_dir /t; {locations(SITE)}",
        templates={"/t": {"error": "<b>{{status}}</b>", "directoryIndex": "{{title}}!"}},
    )
    assert text("/nothing") == "<b>404</b>"
    assert text("/.x") == "<b>403</b>"
    assert text("/") == "Index of /!"
