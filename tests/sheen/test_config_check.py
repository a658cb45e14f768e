"""The report about a shiny-server.conf."""

from pathlib import Path

import pytest

from sheen.__main__ import main

GOOD = """run_as shiny;
auth_passwd_file /etc/passwd;
app_idle_timeout 10;
server {
  listen 3838; # at all addresses
  server_name a.org;
  location / {
    site_dir /srv/shiny-server;
    log_dir /var/log/shiny-server;
    location /secret { required_user ann; }
  }
  location /old { redirect /new 301; }
}
"""
REPORT = """\
x.conf:1: run_as shiny → mapped: each app has a Unix user and tasks of its own
x.conf:2: auth_passwd_file /etc/passwd → closes: a location that needs a login is closed to
    everybody (Professional)
x.conf:3: app_idle_timeout 10 → honoured
x.conf:4: server → honoured
x.conf:5: listen 3838 → mapped: tells sites apart; the deployment decides where it listens
x.conf:6: server_name a.org → honoured
x.conf:7: location / → honoured
x.conf:8: site_dir /srv/shiny-server → honoured
x.conf:9: log_dir /var/log/shiny-server → mapped: on one machine, the files' folder; on AWS, the
    files' names end the names of the log streams, which `sheen logs` shows
x.conf:10: location /secret → honoured
x.conf:10: required_user ann → closes: the location is closed to everybody, unless ** is in the list
    (Professional)
x.conf:12: location /old → honoured
x.conf:12: redirect /new 301 → honoured

a.org, port 3838
  /secret  apps and files of /srv/shiny-server
      closed: required_user on line 10 asks for a login
      app_idle_timeout  10  (line 3, top level)
      log_dir           /var/log/shiny-server  (line 9, location /)
  /        apps and files of /srv/shiny-server
      app_idle_timeout  10  (line 3, top level)
      log_dir           /var/log/shiny-server  (line 9, location /)
  /old     redirect (301) to /new
      app_idle_timeout  10  (line 3, top level)

no errors, 0 warnings; directives: 8 honoured, 3 mapped, 2 about sign-in, 0 without effect
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("SHEEN_BUCKET", "SHEEN_DATA"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def test_a_file_is_shown_as_directives_and_as_a_site(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "x.conf").write_text(GOOD)
    assert main(["config", "check", "x.conf"]) == 0
    said = capsys.readouterr()
    assert (said.out, said.err) == (REPORT, "")


def test_all_errors_are_shown_and_the_status_says_so(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "x.conf").write_text("run_as\n  shiny;\nreconect on;\nlog_dir;\n")
    assert main(["config", "check", "x.conf"]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == (
        'x.conf:3:1: error: there is no directive "reconect"; did you mean reconnect?\n'
        "x.conf:4:1: error: log_dir lacks path; it is log_dir path\n"
        "sheen: x.conf: 2 errors; nothing is used\n"
    )


def test_control_characters_do_not_reach_the_terminal(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "x.conf").write_text('log_dir "\x1b]0;x\x07"; "\x1b[2J" a;')
    assert main(["config", "check", "x.conf"]) == 1
    (folder / "y.conf").write_text('log_dir "\x1b]0;x\x07";')
    assert main(["config", "check", "y.conf"]) == 0
    said = capsys.readouterr()
    assert "\x1b" not in said.out + said.err


def test_bytes_that_are_no_utf_8_are_read_and_a_long_file_is_refused(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "x.conf").write_bytes(b"run_as x; # caf\xe9\n")
    assert main(["config", "check", "x.conf"]) == 0
    (folder / "x.conf").write_bytes(b"#" * 5_000_000)
    assert main(["config", "check", "x.conf"]) == 1
    assert "at most 1,000,000 are read" in capsys.readouterr().err


def test_a_file_that_is_not_there_is_named(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["config", "check", "none.conf"]) == 1
    assert "none.conf: No such file" in capsys.readouterr().err
