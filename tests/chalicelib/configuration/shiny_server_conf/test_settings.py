"""What directives set for apps, and from which layer it comes."""

import pytest

from chalicelib.configuration.layers import resolve
from chalicelib.configuration.shiny_server_conf.reading import read
from chalicelib.configuration.shiny_server_conf.report import report
from chalicelib.configuration.shiny_server_conf.setting_layers import setting_layers
from tests.chalicelib.configuration.shiny_server_conf.trees import configuration

LAYERS = """run_as x; log_dir /l;
app_idle_timeout 10; reconnect off;
simple_scheduler 7;
server {
  listen 80;
  app_idle_timeout 20;
  location /a {
    site_dir /s;
    app_idle_timeout 30;
    utilization_scheduler 5 .5 2;
    location /b { app_init_timeout 90; simple_scheduler 3; }
  }
}
"""


def test_the_nearest_layer_wins_and_each_value_knows_its_line() -> None:
    nested, outer = configuration(LAYERS).sites[0].locations
    for location, expected in (
        (
            outer,
            {
                "log_dir": ("/l", "deployment (x.conf:1)"),
                "reconnect": (False, "deployment (x.conf:2)"),
                "app_idle_timeout": (30.0, "location (x.conf:9)"),
                "utilization_scheduler": ((5, 0.5, 2), "location (x.conf:10)"),
            },
        ),
        (
            nested,
            {
                "log_dir": ("/l", "deployment (x.conf:1)"),
                "reconnect": (False, "deployment (x.conf:2)"),
                "app_idle_timeout": (30.0, "location (x.conf:9)"),
                "app_init_timeout": (90.0, "location (x.conf:11)"),
                "simple_scheduler": (3, "location (x.conf:11)"),
            },
        ),
    ):
        resolved = resolve(setting_layers(location))
        assert {
            name: (getattr(resolved.settings, name), str(origin))
            for name, origin in resolved.origins.items()
        } == expected
        assert {name: value.value for name, value in location.settings().items()} == {
            name: value for name, (value, _) in expected.items()
        }


def test_a_bare_list_clears_the_inherited_one() -> None:
    found = configuration("""run_as x; log_dir /l; disable_protocols websocket;
        server { listen 80; location / { app_dir /a; disable_protocols; } }""")
    (location,) = found.sites[0].locations
    assert resolve(setting_layers(location)).settings.disable_protocols == ()


@pytest.mark.parametrize(
    ("directive", "value", "said"),
    [
        ("app_init_timeout 0", 60.0, "honoured: 60 seconds, as in Shiny Server"),
        ("app_init_timeout 600", 240.0, "honoured: 240 seconds, the longest time, instead of 600"),
        ("app_idle_timeout -1", 0.0, "honoured: 0"),
        ("app_idle_timeout 2147484", 2147484.0, "honoured"),
        ("app_idle_timeout 0x7fffffff", 2592000.0, "the longest time, instead of 2147483647"),
        ("simple_scheduler", 100, "honoured"),
        ("simple_scheduler 0", 1000, "honoured: 1000 sessions, the most of one instance"),
        ("utilization_scheduler 50 .5 100", (50, 0.5, 20), "honoured: 50 0.5 20, as an instance"),
        ("sockjs_heartbeat_delay 0", 25.0, "honoured: 25 seconds, as in Shiny Server"),
        ("sockjs_disconnect_delay .5", 1.0, "honoured: 1 seconds instead of 0.5"),
        ("disable_websockets", True, "honoured"),
        ("frame_options SAMEORIGIN", "sameorigin", "honoured"),
        ("frame_options allow-from https://x.org", "allow-from https://x.org", "honoured"),
        ("frame_options allow-from", None, "no effect: here it is allow, deny"),
        ("google_analytics_id G-ABC123", "G-ABC123", "honoured"),
        ("google_analytics_id G-A; google_analytics_id G-B", "G-A", "honoured"),
        ("set_header X-A 1; set_header X-B 2", {"X-A": "1", "X-B": "2"}, "honoured"),
        ("set_header Content-Length 1", None, "no effect: here it is names and values"),
        ("preserve_logs", False, "honoured"),
        ("whitelist_headers X-Role My-Team", ("x-role", "my-team"), "honoured"),
        ("whitelist_headers", (), "honoured"),
        (
            "whitelist_headers X-Role My_Team",
            ("x-role",),
            "honoured: without My_Team, which no app can get",
        ),
        ("python python3.11", None, "no effect: here it is an absolute path"),
        ("python /usr/bin/python3", "/usr/bin/python3", "honoured"),
        ("exec_supervisor 'nice -n 10'", ("nice", "-n", "10"), "honoured"),
        ('exec_supervisor "it\'s"', None, "no effect: here it is a command"),
        (
            "disable_protocols eventsource jsonp-polling",
            ("eventsource", "jsonp-polling"),
            "honoured",
        ),
    ],
)
def test_a_value_is_kept_or_what_differs_is_said(directive: str, value: object, said: str) -> None:
    found = read(f"{directive};", "x.conf")
    assert found.configuration is not None, found.errors
    values = [one.value for one in found.configuration.top.settings.values()]
    assert values == ([] if value is None else [value])
    assert said in " ".join(" ".join(report(found)).split())


def test_of_two_schedulers_in_one_scope_the_finer_counts() -> None:
    found = read("utilization_scheduler 5 .5 2; simple_scheduler 3;", "x.conf")
    assert found.configuration is not None
    assert list(found.configuration.top.settings) == ["utilization_scheduler"]
    assert "simple_scheduler is ignored" in found.warnings[0].text


def test_headers_of_inner_and_outer_blocks_are_sent_together() -> None:
    found = configuration("""run_as x; log_dir /l; set_header X-A 1; set_header X-B 1;
        server { listen 80; location / { app_dir /a; set_header X-B 2; } }""")
    (location,) = found.sites[0].locations
    expected = {"X-A": "1", "X-B": "2"}
    assert dict(resolve(setting_layers(location)).settings.set_header) == expected
    assert location.settings()["set_header"].value == expected
