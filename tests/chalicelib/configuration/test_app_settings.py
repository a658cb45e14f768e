"""An app's settings: read as they are meant, or refused by name."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.configuration.app_settings import MAPS, AppSettings
from chalicelib.configuration.errors import BadAppSetting
from tests.chalicelib.configuration.any_settings import names, values


def test_without_settings_the_defaults_hold() -> None:
    assert AppSettings.parse({}) == AppSettings()


@given(st.dictionaries(names, values, max_size=3))
def test_any_map_is_read_or_refused_by_name(settings: dict[str, object]) -> None:
    try:
        parsed = AppSettings.parse(settings)
    except BadAppSetting as error:
        assert any(name in str(error) for name in settings)
    else:
        assert AppSettings.parse({name: getattr(parsed, name) for name in settings}) == parsed


@pytest.mark.parametrize(
    ("name", "value", "read"),
    [
        ("app_idle_timeout", "0", 0.0),
        ("app_idle_timeout", 2.5, 2.5),
        ("simple_scheduler", 100.0, 100),
        ("sanitize_errors", "off", False),
        ("disable_protocols", "websocket xhr-polling", ("websocket", "xhr-polling")),
        (
            "disable_protocols",
            ["polling", "jsonp-polling"],
            ("xdr-polling", "xhr-polling", "iframe-xhr-polling", "jsonp-polling"),
        ),
        ("frame_options", "SameOrigin", "sameorigin"),
        ("frame_options", "allow-from https://example.org/", "allow-from https://example.org"),
        ("google_analytics_id", "UA-1-4", "UA-1-4"),
        ("set_header", "X-A=1 'X-B=a b'", {"X-A": "1", "X-B": "a b"}),
        ("exec_supervisor", "nice -n 10", ("nice", "-n", "10")),
        ("exec_supervisor", "sh -c 'exec \"$@\"' sh", ("sh", "-c", 'exec "$@"', "sh")),
        ("exec_supervisor", ["nice", "-n", "10"], ("nice", "-n", "10")),
        ("r_path", "/opt/R/4.3.1/bin/R", "/opt/R/4.3.1/bin/R"),
    ],
)
def test_values_as_people_write_them(name: str, value: object, read: object) -> None:
    assert getattr(AppSettings.parse({name: value}), name) == read


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("simple_scheduler", 0, "a whole number from 1 to 1000, as in simple_scheduler=100"),
        ("simple_scheduler", 1.5, "a whole number"),
        ("app_init_timeout", 900, "a number of seconds from 1 to 240"),
        ("app_idle_timeout", float("nan"), "a number of seconds"),
        ("reconnect", "perhaps", "true or false"),
        ("disable_protocols", ["pigeons"], "a list of some of"),
        ("frame_options", "allow-from", "allow-from with the address of a site"),
        ("frame_options", "allow-from https://a.org; script-src *", "the address of a site"),
        ("google_analytics_id", "“UA-1”", "an id of Google Analytics"),
        ("set_header", {"Set-Cookie": "a=1"}, '"Set-Cookie" cannot be in it'),
        ("set_header", {"content-length": "1"}, '"content-length" cannot be in it'),
        ("set_header", {"X-A": "1\r\nX-B: 2"}, '"X-A" cannot be in it'),
        (
            "exec_supervisor",
            "nice 'n",
            "setting exec_supervisor is .* a command with its arguments, quoted as for a shell",
        ),
        ("exec_supervisor", "'' nice", "a command"),
        ("exec_supervisor", "nice\0", "a command"),
        ("exec_supervisor", ["nice", 10], "a command"),
        ("exec_supervisor", "n" * 1001, "at most 1,000 characters"),
        (
            "r_path",
            "bin/R",
            (
                "setting r_path is 'bin/R'; it is an absolute path without blanks, as in "
                "r_path=/opt/R/4.3.1/bin/R"
            ),
        ),
        ("r_path", "/opt/my R", "an absolute path without blanks"),
        ("python", "python3", "an absolute path"),
        ("app_ide_timeout", 5, "did you mean app_idle_timeout\\?"),
        ("Size", "small", "did you mean size\\?"),
        ("enviroment.TZ", "UTC", "did you mean environment\\?"),
        ("instances", 3, "did you mean max_instances\\?"),
        ("colour", "red", "the settings are .*app_idle_timeout"),
    ],
)
def test_a_bad_value_is_told_its_rule(name: str, value: object, words: str) -> None:
    with pytest.raises(BadAppSetting, match=words):
        AppSettings.parse({name: value})


@pytest.mark.parametrize(
    "name", ["LD_PRELOAD", "GCONV_PATH", "MALLOC_CHECK_", "PATH", "HOME", "AWS_SECRET_ACCESS_KEY", "SHEEN_X", "SHINY_PORT", "WORKER_ID"]  # noqa: E501
)  # fmt: skip
def test_variables_that_are_sheens_or_the_loaders_cannot_be_set(name: str) -> None:
    for setting in ("environment", "secrets"):
        with pytest.raises(BadAppSetting, match=f'setting {setting}: "{name}" cannot be in it'):
            AppSettings.parse({setting: {name: "x"}})


@pytest.mark.parametrize(
    "name", ["/x", "sales/", "../x", "sales//x", "a" * 65, "a b", "*", "sales/*", "a:b"]
)
def test_a_roles_name_leads_to_no_other_role(name: str) -> None:
    assert AppSettings.parse({"role": "team/sales/Read_2"}).role == "team/sales/Read_2"
    with pytest.raises(BadAppSetting, match="setting role is"):
        AppSettings.parse({"role": name})


@pytest.mark.parametrize(
    "value",
    [
        {"PASSWORD": "hush", "PATH=": "/x"},
        {"PASSWORD": "hush" * 1000, **{f"OTHER_{number}": "x" * 4000 for number in range(4)}},
        "PASSWORD=hush 'LEVEL=2",
        "PASSWORD=hush LEVEL",
        ["PASSWORD=hush"],
    ],
)
@pytest.mark.parametrize("name", MAPS)
def test_what_is_wrong_with_a_map_is_told_without_its_values(name: str, value: object) -> None:
    with pytest.raises(
        BadAppSetting, match=f"setting {name}.* it is names .*, as in {name}="
    ) as caught:
        AppSettings.parse({name: value})
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (
            {"max_connections": 334},
            (
                r"max_connections=334 times max_worker_processes=3 \(the default\) makes "
                r"1,002 sessions .* at most 1,000"
            ),
        ),
        (
            {"max_worker_processes": 21},
            r"max_connections=50 \(the default\) times max_worker_processes=21 makes 1,050",
        ),
        (
            {"worker_load_factor": 0.5, "max_connections": 500},
            r"max_connections=500 times max_worker_processes=3 \(the default\)",
        ),
        (
            {"utilization_scheduler": "400 0.5 3"},
            "utilization_scheduler asks for 400 sessions on each of 3 R processes makes 1,200",
        ),
    ],
)
def test_too_many_seats_are_told_with_the_settings_that_make_them(
    settings: dict[str, object], words: str
) -> None:
    with pytest.raises(BadAppSetting, match=words):
        AppSettings.parse(settings)


def test_paths_are_no_reserved_names_by_their_beginning() -> None:
    assert (
        AppSettings.parse(
            {"environment": {"PATHS": "1", "HOME_TOWN": "x", "R_CONFIG_ACTIVE": "prod"}}
        ).environment["PATHS"]
        == "1"
    )


def test_one_variable_cannot_be_in_environment_and_secrets() -> None:
    with pytest.raises(BadAppSetting, match='variable "A" is in environment and in secrets'):
        AppSettings.parse({"environment": {"A": "1"}, "secrets": {"A": "x"}})
