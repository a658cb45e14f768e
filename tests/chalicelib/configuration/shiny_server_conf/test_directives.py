"""The table of directives, and the checks that follow from it."""

import re

import pytest

from chalicelib.configuration.app_settings import DECLARED
from chalicelib.configuration.shiny_server_conf.directives.schema import (
    Directive,
    Edition,
    Need,
    Scope,
    Verdict,
)
from chalicelib.configuration.shiny_server_conf.directives.table import (
    DIRECTIVES,
    GROUPS,
    NEVER_EXISTED,
    NGINX,
    exclude_each_other,
)
from chalicelib.configuration.shiny_server_conf.reading import LONGEST, read

OPEN_SOURCE = """
    run_as server listen server_name location site_dir app_dir user_dirs user_apps redirect
    directory_index members_of log_dir log_file_mode log_as_user preserve_logs access_log
    google_analytics_id app_init_timeout app_idle_timeout simple_scheduler allow_app_override
    template_dir bookmark_state_dir sanitize_errors reconnect frame_options disable_websockets
    disable_protocols http_keepalive_timeout http_allow_compression sockjs_heartbeat_delay
    sockjs_disconnect_delay python socket_dir application
"""
PROFESSIONAL = """
    app_session_timeout utilization_scheduler required_user required_group whitelist_headers
    auth_passwd_file auth_pam auth_google auth_ldap auth_active_dir auth_proxy auth_duration
    auth_ignore_case group_list disable_login_autocomplete auth_frame_options secure_cookies
    set_header ssl ssl_min_version base_url admin r_path exec_supervisor pam_sessions_profile
    rrd_disabled graphite_enabled metrics_user license_type
    ldap_timeout base_bind user_bind_template user_filter user_search_base group_search_base
    group_filter group_name_attribute trusted_ca check_ssl_ca
"""
IN_APP_FILE = """
    app_init_timeout app_idle_timeout app_session_timeout bookmark_state_dir disable_protocols
    frame_options log_file_mode preserve_logs r_path reconnect required_user required_group
    sanitize_errors simple_scheduler utilization_scheduler whitelist_headers
"""
ROWS = list(DIRECTIVES.values())


def test_the_table_has_each_directive_of_both_editions_once() -> None:
    assert sum(map(len, GROUPS.values())) == len(DIRECTIVES)
    for edition, names in ((Edition.BOTH, OPEN_SOURCE), (Edition.PRO, PROFESSIONAL)):
        assert {row.name for row in ROWS if row.edition is edition} == set(names.split())


def test_an_app_file_may_have_what_the_guide_lists_and_python_as_in_the_open_edition() -> None:
    assert {row.name for row in ROWS if row.in_app_file} == {*IN_APP_FILE.split(), "python"}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_row_is_complete(row: Directive) -> None:
    needs = [parameter.need for parameter in row.parameters]
    order = [Need.REQUIRED, Need.OPTIONAL, Need.ANY_NUMBER]
    assert needs == sorted(needs, key=order.index)
    assert needs.count(Need.ANY_NUMBER) <= 1
    assert row.excludes <= DIRECTIVES.keys()
    assert row.answer.text or row.answer.verdict is Verdict.HONOURED
    assert not row.setting or row.answer.verdict in (Verdict.HONOURED, Verdict.MAPPED)
    for parameter in row.parameters:
        if parameter.default is not None:
            assert parameter.type.read(parameter.type.write(parameter.default)) == parameter.default


def test_table_and_settings_agree_on_what_sets_what() -> None:
    said = {row.name: row.setting for row in ROWS if row.setting}
    assert said == {one.directive: name for name, one in DECLARED.items() if one.directive}


def test_no_directive_is_called_foreign() -> None:
    assert not (NGINX | NEVER_EXISTED.keys()) & DIRECTIVES.keys()


def test_each_directive_about_access_closes() -> None:
    for row in ROWS:
        if re.match(r"required_|auth_(passwd|pam|google|ldap|active|proxy)", row.name):
            assert row.answer.verdict is Verdict.CLOSES, row.name


def errors(text: str) -> list[str]:
    return [str(error) for error in read(text, "x.conf").errors]


def inside(text: str, scope: Scope) -> str:
    """Return a file with a directive in a scope."""
    location = f"location / {{ redirect /x; {text if scope is Scope.LOCATION else ''} }}"
    server = f"server {{ listen 80; {location} {text if scope is Scope.SERVER else ''} }}"
    blocks = {
        Scope.ADMIN: f"admin 4151 {{ {text} }}",
        Scope.LDAP: f"auth_ldap ldap://x/dc=x {{ {text} }}",
        Scope.ACTIVE_DIR: f"auth_active_dir ldap://x/dc=x x {{ {text} }}",
        Scope.SSL: f"server {{ listen 81; ssl /k /c {{ {text} }} }}",
    }
    return "\n".join([server, blocks.get(scope, ""), text if scope is Scope.TOP else ""])


EXAMPLES = {
    "server": "server { listen 90; }",
    "location": "location /x { redirect /y; }",
    "disable_protocols": "disable_protocols websocket polling;",
    "base_bind": "base_bind u p; user_filter f;",
    "auth_duration": "auth_duration 10;",
}
SAMPLES = ("60", "/x", "true", "127.0.0.1", "0640", "deny", "include", "always", "tlsv12", "allow")


def example(row: Directive) -> str:
    """Return one use of a directive that is right in itself."""
    if row.name in EXAMPLES:
        return EXAMPLES[row.name]
    words = [row.name]
    for parameter in row.parameters:
        for sample in (*SAMPLES, "floating"):
            try:
                parameter.type.read(sample)
            except ValueError:
                continue
            words.append(sample)
            break
    return " ".join(words) + (" { }" if row.block is not None else ";")


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_directive_is_accepted_where_it_belongs_and_refused_elsewhere(row: Directive) -> None:
    for scope in Scope:
        said = errors(inside(example(row), scope))
        misplaced = [error for error in said if f"{row.name} cannot stand" in error]
        if scope not in row.scopes:
            assert len(misplaced) == 1, said
        elif row.name in ("listen", "redirect") or exclude_each_other(row.name, "redirect"):
            assert not misplaced  # it cannot stand beside the file's own
        elif row.name == "application":
            assert "was removed" in " ".join(said)
        else:
            assert said == []


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_too_few_and_too_many_arguments_are_refused(row: Directive) -> None:
    scope = next(scope for scope in Scope if scope in row.scopes)
    if row.fewest:
        assert f"{row.name} lacks " in " ".join(errors(inside(f"{row.name};", scope)))
    if row.most is not None:
        text = f"{row.name} {'60 ' * (row.most + 1)};"
        assert f"{row.name} has too many arguments" in " ".join(errors(inside(text, scope)))


def test_a_second_use_is_refused_unless_it_may_be_repeated() -> None:
    for row in ROWS:
        if Scope.TOP in row.scopes and row.block is None:
            said = errors(inside(f"{example(row)}\n{example(row)}", Scope.TOP))
            assert bool(said) != row.repeatable, row.name
            assert all("stands twice" in error for error in said)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("site_dir /a", "app_dir /b"),
        ("redirect /a", "site_dir /b"),
        ("user_dirs", "log_dir /x"),
        ("redirect /a", "google_analytics_id UA-1"),
        ("user_apps", "run_as x"),
    ],
)
def test_what_excludes_each_other_is_refused_in_either_order(one: str, other: str) -> None:
    for first, second in ((one, other), (other, one)):
        text = f"run_as x; log_dir /x; server {{ listen 80; location / {{ {first}; {second}; }} }}"
        (said,) = errors(text)
        assert "exclude each other" in said


def test_a_directive_in_another_scope_is_not_excluded() -> None:
    assert errors("log_dir /x; server { listen 80; location / { user_dirs; } }") == []


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("Run_As shiny;", "did you mean run_as?"),
        ("run-as shiny;", "did you mean run_as?"),
        ("app_idle_timout 5;", "did you mean app_idle_timeout?"),
        ("include /x;", "word of nginx"),
        ("\u201crun_as\u201d shiny;", "typographic quotes"),
        ("xyzzy;", 'x.conf:1:1: there is no directive "xyzzy"'),
        ("run_as 'x", "never closed"),
        ("run_as x", "a ; is missing at the file's end"),
        ("server { listen 80;", "the block of"),
        ("server { }", "lacks listen"),
        ("server x { listen 80; }", "too many arguments"),
        ("server;", "needs a block"),
        ("reconnect on { }", "has no block"),
        ("server { listen 0; }", "a port from 1 to 65535"),
        ("server { listen 80 localhost; }", "an IP address without a port"),
        ("server { listen 80 fe80::1%eth0; }", "an IP address without a port"),
        ("server { listen 127.0.0.1:80; }", "a port from"),
        ("server { listen 80; } server { listen 80 ::; }", "already has this port"),
        ("server { listen 80; location ~ /x { redirect /y; } }", "without patterns"),
        ("server { listen 80; location / { user_dirs off; } }", "no longer usable"),
        ("run_as x; server { listen 80; location / { site_dir a; } }", "an absolute path"),
        ("reconnect 1;", "true, yes or on"),
        ("log_file_mode 0680;", "octal"),
        ("http_keepalive_timeout a5;", "a number"),
        ("auth_duration 5;", "at least 10"),
        ("frame_options allow-from 'http://x y';", "cannot have blanks"),
        ("auth_ldap x { base_bind u p; }", "needs user_filter"),
        (f"server {{ listen 80; location /{'x' * 600} {{ redirect /y; }} }}", "500 characters"),
        ("#" * (LONGEST + 1), "at most 1,000,000"),
    ],
)
def test_a_mistake_is_named(text: str, part: str) -> None:
    assert part in " ".join(errors(text))


def test_all_errors_are_reported_at_once_in_the_order_of_the_file() -> None:
    said = errors("a;\nserver { listen x; b; location / { } }\nreconnect 1 2;\nrun_as '")
    assert [error.split(": ")[0] for error in said] == [
        "x.conf:1:1",
        "x.conf:2:17",
        "x.conf:2:20",
        "x.conf:3:1",
        "x.conf:3:11",
        "x.conf:4:8",
    ]


def test_each_missing_semicolon_is_found_where_it_is_missing() -> None:
    text = "run_as shiny\nserver {\nlisten 80\nlocation / {\nsite_dir /x\nlog_dir /y\n}\n}\n"
    assert [error.split(": ", 1)[1] for error in errors(text)] == [
        '"run_as" is not closed: a ; is missing before "server" on line 2',
        '"listen" is not closed: a ; is missing before "location" on line 4',
        '"site_dir" is not closed: a ; is missing before "log_dir" on line 6',
        '"log_dir" is not closed: a ; is missing before the } on line 7',
    ]


@pytest.mark.parametrize("word", ["TRUE", "Yes", "on", "off", "No", "false"])
def test_a_boolean_may_be_written_in_any_case(word: str) -> None:
    assert errors(f"reconnect {word};") == []


def test_numbers_may_be_quoted_and_hexadecimal() -> None:
    found = read("app_idle_timeout '0x10'; server { listen 80; location / { redirect /x; } }", "x")
    assert found.configuration is not None
    assert found.configuration.top.settings["app_idle_timeout"].value == 16.0
