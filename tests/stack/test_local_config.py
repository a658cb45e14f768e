"""``sheen local --config``: a machine's own apps, users, ports and certificates, as its file says.

The apps are real, in folders of this machine, and run as real users of Debian.
"""

import contextlib
import http.client
import json
import os
import shutil
import signal
import ssl
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from tests.support.stack import Answer, StackProcess, free_port
from tests.support.waiting import until

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can run apps as other users")
ANN, BOB = ("www-data", 33), ("list", 38)
"""Two users that Debian always has, with their numbers."""
APP = """
library(shiny)
count <- length(readLines("visits.txt", warn = FALSE))
shinyApp(
  function(request) {
    cat("visit\\n", file = "visits.txt", append = TRUE)
    told <- tryCatch(readLines(OTHER, warn = FALSE)[[1]], error = function(e) "closed")
    tags$p(paste0(
      "MARK|", getwd(), "|", Sys.info()[["effective_user"]], "|", suppressWarnings(told), "|",
      count, "|"
    ))
  },
  function(input, output) NULL
)
"""


@pytest.fixture(scope="module")
def srv() -> Iterator[Path]:
    """A folder like /srv, which every user can reach."""
    made = Path(tempfile.mkdtemp(prefix="sheen-srv-", dir="/var/tmp"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


def write_app(folder: Path, mark: str, owner: int, other: Path, mode: int = 0o755) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "app.R").write_text(APP.replace("MARK", mark).replace("OTHER", f'"{other}"'))
    (folder / "visits.txt").touch()
    (folder / "secret").write_text(f"secret of {mark}\n")
    for path in (folder, *folder.iterdir()):
        os.chown(path, owner, owner)
    folder.chmod(mode)


@pytest.fixture(scope="module")
def certificate(srv: Path) -> tuple[Path, Path]:
    key, made = srv / "key.pem", srv / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(made)],
        check=True,
        capture_output=True,
    )  # fmt: skip
    return key, made


class Served:
    """A stack that serves a configuration."""

    def __init__(self, srv: Path, certificate: tuple[Path, Path], stack: StackProcess) -> None:
        self.srv = srv
        self.stack = stack
        self.certificate = certificate
        self.file = srv / "shiny-server.conf"
        self.ports = [free_port() for _ in range(3)]

    def write(self, more: str = "") -> None:
        key, made = self.certificate
        one, two, three = self.ports
        self.file.write_text(f"""
run_as {ANN[0]};
app_idle_timeout 1;
server {{
  listen {one};
  location / {{ site_dir {self.srv}/site; log_dir /var/log/shiny-server; directory_index on; }}
  {more}
}}
server {{
  listen {two} 127.0.0.1;
  ssl {key} {made} {{ ssl_min_version tlsv12; }}
  location /bob {{ run_as {BOB[0]}; app_dir {self.srv}/bob; log_dir /var/log/shiny-server; }}
}}
server {{ listen {three} ::1; location /old {{ redirect "https://example.org/new"; }} }}
""")

    def ask(self, port: int, path: str, host: str = "127.0.0.1", *, tls: bool = False) -> Answer:
        if tls:
            context = ssl.create_default_context(cafile=str(self.certificate[1]))
            connection: http.client.HTTPConnection = http.client.HTTPSConnection(
                "localhost", port, timeout=60, context=context
            )
        else:
            connection = http.client.HTTPConnection(host, port, timeout=60)
        try:
            connection.request("GET", path, headers={"Accept": "text/html"})
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())
        finally:
            connection.close()

    def page(self, port: int, path: str, mark: str, *, tls: bool = False) -> list[str]:
        """Visit until the app answers; return what its page says."""

        def visit() -> list[str] | None:
            text = self.ask(port, path, tls=tls).text
            return text.partition(f"<p>{mark}|")[2].partition("</p>")[0].split("|") or None

        def told() -> list[str] | None:
            words = visit()
            return words if words and len(words) > 3 else None

        return until(told, 90, f"{path} to be answered by {mark}; see {self.stack.log}")


@pytest.fixture(scope="module")
def served(
    srv: Path, certificate: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    site = srv / "site"
    write_app(site / "hello", "hello", ANN[1], srv / "bob/secret")
    write_app(site / "second", "second", ANN[1], site / "hello/secret")
    write_app(srv / "bob", "bob", BOB[1], site / "hello/secret", 0o700)
    (site / "hello/secret").chmod(0o600)
    (site / "index.html").write_text("<h1>welcome</h1>")
    evil = site / "second/evil"
    for name in ("shadow.txt", "passwd.txt"):
        (site / "links").mkdir(exist_ok=True)
        os.chown(site / "links", *[ANN[1]] * 2)
        (site / "links" / name).symlink_to(f"/etc/{name.removesuffix('.txt')}")
        os.lchown(site / "links" / name, ANN[1], ANN[1])
    assert not evil.exists()
    stack = StackProcess(tmp_path_factory.mktemp("configured"), free_port())
    made = Served(srv, certificate, stack)
    made.write()
    stack.start("local", "--config", str(made.file), module="sheen")
    try:
        until(lambda: "kill -HUP" in stack.log.read_text(), 60, f"the ports; see {stack.log}")
        # Functions that were asked before follow within two seconds.
        until(lambda: "welcome" in made.ask(made.ports[0], "/").text, 30, "the site")
        yield made
    finally:
        stack.stop()


def test_apps_run_in_their_folders_as_their_users_and_find_what_they_wrote(served: Served) -> None:
    one = served.ports[0]
    assert served.ask(one, "/").text == "<h1>welcome</h1>"
    folder = served.srv / "site/hello"
    assert served.page(one, "/hello/", "hello")[:4] == [str(folder), ANN[0], "closed", "0"]
    assert (folder / "visits.txt").read_text().startswith("visit\n")
    assert (folder / "visits.txt").stat().st_uid == ANN[1]
    # Nothing of it is copied anywhere.
    assert not list((served.stack.efs / "apps").iterdir())
    visits = len((folder / "visits.txt").read_text().splitlines())

    def is_idle() -> bool:
        rows = served.stack.instances()
        return all(not row.get("worker") for row in rows)

    until(is_idle, 60, "no process after app_idle_timeout")
    assert int(served.page(one, "/hello/", "hello")[3]) >= visits, "what it wrote is there again"


def test_another_port_is_another_site_with_its_certificate_and_its_user(served: Served) -> None:
    one, two, three = served.ports
    assert served.page(two, "/bob/", "bob", tls=True)[:3] == [
        str(served.srv / "bob"),
        BOB[0],
        "closed",
    ]
    assert served.ask(two, "/hello/", tls=True).status == 404
    assert served.ask(one, "/bob/").status == 404
    moved = served.ask(three, "/old", "::1")
    assert (moved.status, moved.headers["Location"]) == (302, "https://example.org/new")
    with pytest.raises(OSError, match="refused"):
        served.ask(three, "/old", "127.0.0.1")


def test_links_of_apps_show_no_file_of_the_machine(served: Served) -> None:
    for name in ("shadow.txt", "passwd.txt"):
        assert served.ask(served.ports[0], f"/links/{name}").status == 404
    assert "passwd" not in served.ask(served.ports[0], "/links/").text


def test_ports_for_visitors_lead_to_no_service_of_the_owner(served: Served) -> None:
    variables = served.stack.environment()
    tables = [
        boto3.client(
            "dynamodb",
            endpoint_url=f"http://127.0.0.1:{port}",
            region_name="us-east-1",
            aws_access_key_id=variables["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=variables["AWS_SECRET_ACCESS_KEY"],
            config=Config(retries={"max_attempts": 0}),
        )
        for port in (served.stack.port, served.ports[0])
    ]
    assert tables[0].list_tables()["TableNames"]
    # There the request is a visitor's, with whom the gateway has nothing to do but pass it on.
    with contextlib.suppress(BotoCoreError, ClientError):
        assert "TableNames" not in tables[1].list_tables()


def test_sighup_reads_the_file_again_and_a_bad_one_changes_nothing(served: Served) -> None:
    process = served.stack.process
    assert process is not None
    one = served.ports[0]
    good = served.file.read_text()
    try:
        served.file.write_text(good.replace("run_as", "run_ass", 1))
        process.send_signal(signal.SIGHUP)
        until(lambda: "nothing is used" in served.stack.log.read_text(), 30, "the errors")
        assert served.ask(one, "/").status == 200
        added = free_port()
        more = "location /new { redirect https://example.org/; }"
        served.write(more)
        served.file.write_text(
            served.file.read_text() + f"server {{ listen {added}; "
            "location / { redirect https://example.net/ 301 false; } }"
        )
        process.send_signal(signal.SIGHUP)

        def follows() -> bool:
            try:
                return (
                    served.ask(one, "/new").status == 302 and served.ask(added, "/").status == 301
                )
            except OSError:
                return False

        until(follows, 60, "the new location and the new port")
    finally:
        served.file.write_text(good)


def test_root_and_unknown_users_are_refused_before_anything_starts(
    srv: Path, tmp_path: Path
) -> None:
    file = tmp_path / "shiny-server.conf"
    file.write_text(
        "server { listen 3838;\n location /a { run_as root; app_dir /srv/a; log_dir /l; }\n"
        " location /b { run_as toor; app_dir /srv/b; log_dir /l; } }"
    )
    stack = StackProcess(tmp_path / "data", free_port())
    refused = stack.sheen("local", "--config", str(file), check=False)
    assert refused.returncode == 1
    assert f"{file}:2:" in refused.stderr
    assert f"{file}:3:" in refused.stderr
    assert "apps may not run as root" in refused.stderr
    file.write_text("server { listen 3838;\n location / { run_as x-y; app_dir /a; log_dir /l; } }")
    refused = stack.sheen("local", "--config", str(file), check=False)
    assert refused.returncode == 1
    assert "this machine has no user x-y" in refused.stderr
    assert json.dumps(refused.stdout) == '""'
