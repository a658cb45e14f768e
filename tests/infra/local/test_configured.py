"""What a shiny-server.conf makes of a machine: which users, trees and ports."""

import os
import pwd
import stat
import subprocess
from pathlib import Path

import pytest

from chalicelib.configuration.shiny_server_conf.reading import read
from infra.emulator.endpoint.listeners import EndpointListener, Tls
from infra.emulator.errors import CannotStart
from infra.local import configured, users
from infra.local.configured import ConfiguredMachine

SHIPPED = pwd.getpwuid(33).pw_name
"""A system user that Debian always has: www-data."""


def found(text: str, own: set[int] | None = None) -> tuple[ConfiguredMachine | None, list[str]]:
    reading = read(text, "c")
    assert reading.configuration is not None, [str(error) for error in reading.errors]
    machine, errors = configured.find(reading.configuration, own or set())
    return machine, [str(error) for error in errors]


def machine_of(text: str) -> ConfiguredMachine:
    machine, errors = found(text)
    assert machine is not None, errors
    return machine


def test_debians_file_names_one_tree_one_user_and_one_port() -> None:
    machine = machine_of(
        f"run_as {SHIPPED}; server {{ listen 3838; location / {{ "
        "site_dir /srv/shiny-server; log_dir /var/log/shiny-server; directory_index on; } }"
    )
    assert [(tree.name, tree.reader.name) for tree in machine.trees] == [
        ("/srv/shiny-server", SHIPPED)
    ]
    assert [user.unix_id for user in machine.users] == [33]
    assert machine.listeners == (EndpointListener(3838),)
    (shown,) = machine.shown("bucket")
    assert (shown.prefix, shown.folder.folder) == (
        "site/srv/shiny-server/",
        Path("/srv/shiny-server"),
    )


def test_ports_and_addresses_are_those_of_the_servers() -> None:
    body = "location / { redirect https://x.example; }"
    machine = machine_of(
        f"server {{ listen 3838; {body} }}"
        f" server {{ listen 3838 127.0.0.1; server_name a; {body} }}"
        f" server {{ listen 80 ::1; {body} }} server {{ listen 81 127.0.0.2; {body} }}"
    )
    assert set(machine.listeners) == {
        EndpointListener(3838),
        EndpointListener(80, "::1"),
        EndpointListener(81, "127.0.0.2"),
    }


def test_homes_are_trees_of_their_users() -> None:
    machine = machine_of("run_as :HOME_USER:; server { listen 3838; location / { user_dirs; } }")
    trees = {tree.name: tree for tree in machine.trees}
    assert trees[f"~{SHIPPED}/ShinyApps"].reader.name == SHIPPED
    assert not any(name.startswith("~root/") for name in trees)
    assert all(user.unix_id for user in machine.users)


@pytest.mark.parametrize(
    ("name", "why"), [("nobody-such", "this machine has no user"), ("sync-such", "adduser")]
)
def test_a_user_that_is_not_there_is_an_error_with_its_place(name: str, why: str) -> None:
    machine, errors = found(
        f"server {{ listen 3838; location / {{\nrun_as {name}; app_dir /srv/a; log_dir /l; }} }}"
    )
    assert machine is None
    assert len(errors) == 1
    assert errors[0].startswith(f"c:2:1: run_as {name}")
    assert why in errors[0]


def test_apps_do_not_run_as_the_owner_of_sheens_files() -> None:
    _, errors = found(
        f"run_as {SHIPPED}; server {{ listen 1; location / {{ app_dir /srv/a; log_dir /l; }} }}",
        {33},
    )
    assert "owns the files of Sheen itself" in errors[0]


def test_root_is_refused_by_the_file_alone() -> None:
    for text in (
        "run_as root; server { listen 1; location / { app_dir /srv/a; log_dir /l; } }",
        "server { listen 1; location / { run_as shiny root; app_dir /srv/a; log_dir /l; } }",
    ):
        reading = read(text, "c")
        assert reading.configuration is None
        assert "apps may not run as root" in str(reading.errors[0])


def test_powerful_groups_stay_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    import grp

    shadow, own = grp.getgrnam("shadow").gr_gid, grp.getgrgid(33).gr_gid
    audio = grp.getgrnam("audio").gr_gid
    monkeypatch.setattr(os, "getgrouplist", lambda name, group: [group, shadow, 0, audio])
    user = users.find(SHIPPED, set())
    assert not isinstance(user, str), user
    assert (user.group, user.more_groups) == (own, (audio,))
    assert "shadow" in user.group_names  # for members_of, which gives no right


def test_trees_are_links_of_the_file_system(tmp_path: Path) -> None:
    efs, srv = tmp_path / "efs", tmp_path / "srv"
    efs.mkdir()

    def with_(*folders: str) -> ConfiguredMachine:
        user = users.find(SHIPPED, set())
        assert not isinstance(user, str)
        return ConfiguredMachine(
            (user,), tuple(configured.Tree(name, srv / name[1:], user) for name in folders), ()
        )

    configured.link(efs, with_("/a/b", "/a/b/c", "~x/ShinyApps", "/d"))
    assert (efs / "trees/a/b").readlink() == srv / "a/b"
    assert (efs / "trees/~x/ShinyApps").readlink() == srv / "x/ShinyApps"
    configured.link(efs, with_("/a"))
    assert [path.name for path in (efs / "trees").iterdir()] == ["a"]
    assert (efs / "trees/a").readlink() == srv / "a"
    assert stat.S_IMODE((efs / "trees").stat().st_mode) == 0o755


def test_certificates_are_tried_before_anything_changes(tmp_path: Path) -> None:
    key, certificate = tmp_path / "k", tmp_path / "c"
    text = (
        f"server {{ listen 443; ssl {key} {certificate} {{ ssl_min_version tlsv11; }}"
        " location / { redirect https://x.example; } }"
    )
    _, errors = found(text)
    assert "cannot be used" in errors[0]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=x"]
    subprocess.run(
        [*command, "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True
    )
    (listener,) = machine_of(text).listeners
    assert listener == EndpointListener(443, "*", Tls(key, certificate, "tlsv11"))
    with pytest.raises(CannotStart, match="cannot be used"):
        Tls(certificate, key).context()
