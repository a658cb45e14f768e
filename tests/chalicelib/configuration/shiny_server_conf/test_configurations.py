"""Configurations as people have them: from the web, broken ones, and Shiny Server's own."""

import pytest

from chalicelib.configuration.app_rules import PROTOCOLS
from chalicelib.configuration.shiny_server_conf.match import Arrival, Matcher
from chalicelib.configuration.shiny_server_conf.model import (
    AppDir,
    Configuration,
    Location,
    SiteDir,
    UserDirs,
)
from chalicelib.configuration.shiny_server_conf.outcomes import (
    AddSlash,
    AppAt,
    Closed,
    FileAt,
    Listing,
    NotFound,
    Outcome,
)
from chalicelib.configuration.shiny_server_conf.report import report
from tests.chalicelib.configuration.shiny_server_conf.trees import FILES, Files, reading

WARNINGS: dict[str, list[tuple[int, str]]] = {
    "R1": [(4, "auth_passwd_file protects nothing")],
    "R2": [(3, "lets in only this machine")],
    "R8": [(3, "lets in only this machine")],
    "R10": [(5, "lets in only this machine")],
    "R16": [(9, "directory_index means nothing beside app_dir")],
    "R18": [(2, "auth_passwd_file protects nothing")],
    "R20": [(2, "lets in only this machine")],
    "R21": [(1, "Shiny Server answers 500 for each app below /")],
    "R23": [(8, "location /more-apps is never reached: / on line 4 takes everything")],
    "X11": [(1, '":HOME_USER" is taken for the name of a user; did you mean :HOME_USER:?')],
    "X13": [(2, "has typographic quotes")],
    "D2": [(3, "auth_passwd_file protects nothing")],
    "D7": [(4, "no group passes all group_list up to this one")],
    "D8": [(16, "directory_index off does not hide the folders of /a/d")],
    "D9": [(2, "auth_ldap protects nothing")],
    "D10": [
        (1, "only the first of its plain names"),
        (2, '"utilization_scheduler" is read as an argument of run_as on line 1'),
    ],
}
ERRORS: dict[str, list[tuple[int, str]]] = {
    "X1": [(6, 'not closed: a ; is missing before "server" on line 9')],
    "X2": [(3, 'not closed: a ; is missing before "location" on line 4')],
    "X3": [
        (4, "location / has no log_dir"),
        (6, "access_log cannot stand in location; it belongs at the top level"),
    ],
    "X4": [(4, "access_log cannot stand in server; it belongs at the top level")],
    "X5": [(10, "it belongs in server { } or in location { }; the last server closes on line 9")],
    "X6": [(10, 'no directive "server_log"; the path of the server\'s own log cannot be set')],
    "X7": [
        (9, "location /api leads nowhere"),
        (10, 'no directive "proxy_pass"; this is a word of nginx'),
    ],
    "X8": [
        (4, "site_dir cannot stand in server; it belongs in location { }"),
        (7, 'no directive "dir"; site_dir or app_dir'),
        (8, 'names of disable_protocols is "http"; it must be one of websocket, xdr-streaming'),
    ],
    "X9": [(3, "location / has no run_as; add run_as <user>; at the top of the file")],
    "X12": [(7, "location /depts would inherit app_dir of line 5")],
    "X14": [(4, "/${APP} looks like a variable that nobody filled in")],
    "X15": [(4, 'timeout of app_init_timeout is "5s"; it must be a whole number of seconds')],
    "D9": [(4, '"user_filter" is not closed: a ; is missing before the } on line 5')],
}
NAMES = sorted(path.stem for path in FILES.glob("*.conf"))


@pytest.mark.parametrize("name", NAMES)
def test_a_file_has_these_errors_and_warnings_and_no_others(name: str) -> None:
    found = reading(name)
    for kind, findings, expected in (
        ("errors", found.errors, ERRORS.get(name, [])),
        ("warnings", found.warnings, WARNINGS.get(name, [])),
    ):
        said = [(finding.position.line, finding.text) for finding in findings]
        assert [line for line, _ in said] == [line for line, _ in expected], (kind, said)
        for (_, text), (_, part) in zip(said, expected, strict=True):
            assert part in text
    assert (found.configuration is None) == bool(found.errors)


@pytest.mark.parametrize("name", NAMES)
def test_a_report_fits_into_a_terminal_of_100_columns(name: str) -> None:
    assert all(len(line) <= 100 for line in report(reading(name)))


def read_one(name: str) -> Configuration:
    found = reading(name).configuration
    assert found is not None
    return found


def location(name: str, path: str) -> Location:
    (found,) = [one for one in read_one(name).sites[0].locations if one.path == path]
    return found


def settings(name: str, path: str = "") -> dict[str, object]:
    return {key: value.value for key, value in location(name, path).settings().items()}


def decide(name: str, path: str, files: Files, port: int = 3838, host: str = "x.org") -> Outcome:
    return Matcher(read_one(name)).decide(Arrival(path, host, port), files)


LOGS = "/var/log/shiny-server"
APPS = Files(["/srv/shiny-server/hello/!", "/srv/shiny-server/data.csv", "/srv/shiny-server/a/b"])


def test_r1_protects_the_dashboard_only() -> None:
    assert location("R1", "").closed == ""
    assert settings("R1")["utilization_scheduler"] == (20, 0.9, 3)


def test_r4_gives_a_nested_location_its_own_scheduler_and_the_rest_of_the_one_around_it() -> None:
    persistent = location("R4", "/persistent")
    assert settings("R4", "/persistent") == {
        "utilization_scheduler": (5, 0.9, 7),
        "app_session_timeout": 900.0,
        "google_analytics_id": "UA-1-4",
        "log_dir": LOGS,
    }
    analytics = persistent.find("google_analytics_id")
    assert analytics is not None
    assert analytics.values["gaid"] == "UA-1-4"
    assert persistent.target == SiteDir("/srv/shiny-server", "")
    value = persistent.settings()["utilization_scheduler"]
    assert (value.directive, value.position.line) == ("utilization_scheduler", 13)


@pytest.mark.parametrize(
    ("name", "left"),
    [
        ("R5", {"xhr-polling", "jsonp-polling"}),
        ("R13", {"websocket"}),
        ("R14", {"jsonp-polling"}),
        ("R6", set(PROTOCOLS) - {"websocket", "eventsource", "htmlfile"}),
    ],
)
def test_disabled_protocols_leave_the_others(name: str, left: set[str]) -> None:
    disabled = settings(name)["disable_protocols"]
    assert isinstance(disabled, tuple)
    assert set(PROTOCOLS) - set(disabled) - {"eventsource", "htmlfile"} == left


def test_r7_passes_what_the_first_location_does_not_have_on_to_the_users() -> None:
    files = Files(["/srv/shiny-server/", "~ann/ShinyApps/app/!"], {"ann": ()})
    app = decide("R7", "/users/ann/app/x", files)
    assert isinstance(app, AppAt)
    assert (app.folder, app.prefix, app.rest) == ("~ann/ShinyApps/app", "/users/ann/app", "/x")
    assert isinstance(decide("R7", "/users/ann/", files), NotFound)
    hiding = Files(["/srv/shiny-server/users/ann/app/x", "~ann/ShinyApps/app/!"], {"ann": ()})
    assert isinstance(decide("R7", "/users/ann/app/x", hiding), FileAt)


def test_r8_lists_no_folder_of_a_user_and_runs_their_apps() -> None:
    files = Files(["~ann/ShinyApps/app/!"], {"ann": ()})
    assert isinstance(decide("R8", "/ann/", files), NotFound)
    assert isinstance(decide("R8", "/ann", files), NotFound)
    assert isinstance(decide("R8", "/ann/app", files), AddSlash)
    assert isinstance(decide("R8", "/ann/app/", files), AppAt)


def test_r9_knows_only_members_of_the_group() -> None:
    files = Files(
        ["/srv/shiny-server/", "~ann/ShinyApps/a/!", "~bob/ShinyApps/a/!"],
        {"ann": ("shinyusers", "x"), "bob": ("x",)},
    )
    assert isinstance(decide("R9", "/users/ann/", files), Listing)
    assert isinstance(decide("R9", "/users/bob/", files), NotFound)
    assert isinstance(decide("R9", "/users/eve/", files), NotFound)


def test_r11_sets_the_limits_of_an_app() -> None:
    assert settings("R11") == {
        "app_idle_timeout": 0.0,
        "simple_scheduler": 10,
        "app_init_timeout": 180.0,
        "disable_protocols": ("websocket",),
        "log_dir": LOGS,
    }


def test_r12_has_one_app_at_its_root() -> None:
    app = decide("R12", "/x/y", Files(["/srv/radiant/!"]))
    assert isinstance(app, AppAt)
    assert (app.folder, app.prefix, app.rest) == ("/srv/radiant", "", "/x/y")


def test_r13_takes_a_directive_that_stands_after_the_location() -> None:
    assert settings("R13")["app_init_timeout"] == 240.0


def test_r15_prefers_the_nearer_log_dir() -> None:
    log_dir = location("R15", "").find("log_dir")
    assert log_dir is not None
    assert log_dir.values["path"] == "/b"


def test_r17_lists_nothing() -> None:
    assert isinstance(decide("R17", "/", APPS), NotFound)
    with_index = Files(["/srv/shiny-server/index.html"])
    assert isinstance(decide("R17", "/", with_index), FileAt)


def test_r18_keeps_a_load_factor_of_zero_and_fits_the_rest() -> None:
    assert settings("R18")["utilization_scheduler"] == (1, 0.0, 50)
    assert any("a factor of 0 starts" in line for line in report(reading("R18")))


def test_r20_has_an_app_of_two_segments_with_its_own_user() -> None:
    second = location("R20", "/acme/app2")
    run_as = second.find("run_as")
    assert run_as is not None
    assert (second.target, run_as.values["users"]) == (
        AppDir("/srv/acme/app2", "/acme/app2"),
        ("two",),
    )


def test_r22_needs_the_slash_of_a_location() -> None:
    assert isinstance(decide("R22", "/apps", APPS), NotFound)
    assert isinstance(decide("R22", "/apps/", APPS), Listing)
    assert isinstance(decide("R22", "/main/hello", APPS), NotFound)


def test_r24_reads_a_boolean_in_upper_case() -> None:
    assert settings("R24") == {
        "disable_websockets": True,
        "sockjs_disconnect_delay": 300.0,
        "log_dir": LOGS,
    }


@pytest.mark.parametrize("name", ["R25", "R26", "X10", "D6", "D7"])
def test_a_location_that_asks_for_a_login_is_closed(name: str) -> None:
    assert "asks for a login" in location(name, "").closed
    assert isinstance(decide(name, "/hello/", APPS), Closed)


def test_d3_tells_its_servers_apart_by_port() -> None:
    files = Files(["/srv/shiny-server/hello/!", "/srv/example1/!"])
    assert isinstance(decide("D3", "/", files, 3838), NotFound)
    assert isinstance(decide("D3", "/", files, 4949), Listing)
    assert isinstance(decide("D3", "/example1/", files, 3838), AppAt)
    assert isinstance(decide("D3", "/example1/", files, 4949), NotFound)
    assert isinstance(decide("D3", "/", files, 5000), NotFound)


def test_d4_reads_user_dirs_and_no_comment() -> None:
    assert location("D4", "").target == UserDirs("", ())


def test_d5_closes_one_app_only() -> None:
    files = Files(["/srv/shiny-server/sample-apps/hello/!", "/srv/shiny-server/x/!"])
    assert isinstance(decide("D5", "/x/", files), AppAt)
    assert isinstance(decide("D5", "/sample-apps/", files), Listing)
    for path in (
        "/sample-apps/hello/",
        "/sample-apps/hello",
        "/sample-apps/hello/a.png",
        "//sample-apps/hello/",
        "/sample-apps//hello/",
        "/sample%2Dapps/hello/",
        "/sample-apps/%68ello/",
    ):
        assert isinstance(decide("D5", path, files), Closed), path


def test_d8_orders_nested_locations_before_the_one_around_them() -> None:
    locations = read_one("D8").sites[0].locations
    assert [one.path for one in locations] == ["/a/b", "/a/c", "/a/d", "/a"]
    assert [one.settings()["app_idle_timeout"].value for one in locations] == [5, 30, 30, 30]
    folder = decide("D8", "/a/d/", Files(["/srv/a/d/x.txt"]))
    assert isinstance(folder, Listing)
    assert folder.location.path == "/a"
