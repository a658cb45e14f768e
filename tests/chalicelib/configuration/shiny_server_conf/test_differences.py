"""What another configuration changes is said for each location: targets, closing, settings."""

from chalicelib.configuration.shiny_server_conf.differences import differences
from chalicelib.configuration.shiny_server_conf.model import Configuration
from chalicelib.configuration.shiny_server_conf.reading import read

BEFORE = """run_as shiny; log_dir /l; app_idle_timeout 10;
server { listen 3838;
  location /a { app_dir /srv/a; }
  location /old { redirect /new 301; }
  location / { site_dir /srv; }
}
server { listen 80; server_name b.org; location / { site_dir /b; } }
"""
AFTER = """run_as shiny; log_dir /l; app_idle_timeout 10;
server { listen 3838;
  location /a { app_dir /srv/b; app_idle_timeout 20; }
  location /new { app_dir /srv/n; required_user ann; }
  location / { site_dir /srv; sanitize_errors off; }
}
server { listen 80; server_name b.org; location / { site_dir /b; } }
"""


def configuration(text: str) -> Configuration:
    found = read(text, "x.conf").configuration
    assert found is not None, read(text, "x.conf").errors
    return found


def test_each_location_says_what_changes_and_an_unchanged_site_says_nothing() -> None:
    lines = differences(configuration(BEFORE), configuration(AFTER))
    assert lines == [
        "every host, port 3838",
        "  ~ /a  app /srv/a → app /srv/b",
        "  ~ /a  app_idle_timeout: 10 → 20",
        "  + /new  app /srv/n, closed: required_user on line 4 asks for a login",
        "  ~ /  sanitize_errors: default → false",
        "  - /old  redirect (301) to /new",
    ]


def test_the_same_file_changes_nothing_wherever_its_lines_are() -> None:
    assert differences(configuration(BEFORE), configuration("# moved\n" + BEFORE)) == []


def test_without_one_before_everything_is_new() -> None:
    lines = differences(None, configuration(BEFORE))
    assert [line.split()[:2] for line in lines if line.startswith("  ")] == [
        ["+", "/"],
        ["+", "/a"],
        ["+", "/old"],
        ["+", "/"],
    ]


def test_locations_with_one_path_are_told_apart() -> None:
    twice = BEFORE.replace("location /a {", "location /a { app_dir /srv/0; }\n  location /a {")
    lines = differences(configuration(BEFORE), configuration(twice))
    assert [line for line in lines if "/a" in line] == [
        "  ~ /a  app /srv/a → app /srv/0",
        "  + /a  app /srv/a",
    ]
