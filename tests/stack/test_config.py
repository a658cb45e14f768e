"""Configurations by the command and by an upload to the bucket: applied, refused, shown, undone."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.apps import app
from tests.support.stack import StackProcess
from tests.support.waiting import until

pytestmark = pytest.mark.stack
UPLOAD, OUTCOME = "config/shiny-server.conf", "config/shiny-server.conf.outcome.json"


def write(folder: Path, idle: int = 50, more: str = "") -> Path:
    """A file with templates and passwords."""
    (folder / "pages").mkdir(exist_ok=True)
    (folder / "pages/error-404.html").write_text("<p>{{message}}</p>")
    (folder / "passwd").write_text("ann:$scrypt$secret\n")
    file = folder / "shiny-server.conf"
    file.write_text(
        f"run_as shiny;\ntemplate_dir {folder}/pages;\nauth_passwd_file {folder}/passwd;\n"
        f"server {{\n  listen 3838;\n  location / {{\n    app_idle_timeout {idle};\n"
        f"    site_dir /srv/shiny-server;\n    log_dir /var/log/shiny-server;{more}\n  }}\n}}\n"
    )
    return file


def history(stack: StackProcess) -> list[str]:
    return stack.sheen("config", "history").stdout.splitlines()[1:]


def read(stack: StackProcess, key: str) -> str:
    answer = stack.client("s3").get_object(Bucket=stack.environment()["SHEEN_BUCKET"], Key=key)
    text: str = answer["Body"].read().decode()
    return text


def test_a_file_is_applied_shown_refused_rolled_back_and_cleared(
    stack: StackProcess, tmp_path: Path
) -> None:
    stack.sheen("publish", str(app(tmp_path / "configured")))
    none = stack.sheen("config", "show", check=False)
    assert none.returncode == 3
    assert "no configuration holds" in none.stderr
    file = write(tmp_path)

    applied = stack.sheen("config", "apply", str(file)).stdout
    first = history(stack)[0].split()[0]
    assert "what changes:\nevery host, port 3838\n  + /  apps and files of /srv/shiny-server" in (
        applied
    )
    assert f"{first} is applied; pages follow it in two seconds" in applied
    # Other tests' apps on this stack may be among them.
    assert "/configured" in applied.partition("settings change for ")[2]
    shown = stack.sheen("config", "show").stdout
    assert shown.startswith(f"{first} holds: {file}\napplied ")
    assert f"templates of {tmp_path}/pages: error-404" in shown
    assert "app_idle_timeout  50" in shown
    assert stack.sheen("config", "show", "--text").stdout == file.read_text()
    assert read(stack, f"config/passwords/{first}") == "ann:$scrypt$secret\n"
    assert "scrypt" not in read(stack, f"config/applied/{first}.json")

    broken = tmp_path / "broken.conf"
    broken.write_text(file.read_text().replace("listen 3838;", "listen 3838"))
    refused = stack.sheen("config", "apply", str(broken), check=False)
    assert refused.returncode == 1
    assert f"{broken}:5:3: error: " in " ".join(refused.stderr.split())
    assert len(history(stack)) == 1

    moved = "\n    location /moved { redirect /elsewhere; }"
    again = stack.sheen("config", "apply", str(write(tmp_path, idle=60, more=moved))).stdout
    assert "  ~ /  app_idle_timeout: 50 → 60" in again
    until(lambda: stack.get("/moved").status == 302, what="the redirect of the new configuration")
    back = stack.sheen("config", "rollback").stdout
    assert f"{first} is rolled back" in back
    until(lambda: stack.get("/moved").status == 404, what="the configuration before")
    assert "app_idle_timeout  50" in stack.sheen("config", "show").stdout
    assert [line.split()[1] for line in history(stack)] == ["active", "applied", "applied"]
    unknown = stack.sheen("config", "rollback", "20200101T000000Z-00000000", check=False)
    assert unknown.returncode == 3
    assert "sheen config history" in unknown.stderr

    checked = stack.sheen("config", "check", str(file)).stdout
    assert "what is published:\n" in checked
    assert "  /configured  as before, below the settings of location / (line 6)" in checked

    assert "no configuration holds any more" in stack.sheen("config", "clear").stdout
    assert stack.sheen("config", "show", check=False).returncode == 3
    assert "cleared" in history(stack)[0]


def test_an_upload_does_what_the_command_does(stack: StackProcess, tmp_path: Path) -> None:
    client, bucket = stack.client("s3"), stack.environment()["SHEEN_BUCKET"]
    file = write(tmp_path, more="\n    # uploaded")

    def upload(text: str) -> dict[str, Any]:
        """Upload a file and return its outcome."""
        before = stack.client("s3").list_objects_v2(Bucket=bucket, Prefix=OUTCOME)
        version = [found["ETag"] for found in before.get("Contents", ())]
        client.put_object(Bucket=bucket, Key=UPLOAD, Body=text.encode())

        def told() -> bool:
            now = client.list_objects_v2(Bucket=bucket, Prefix=OUTCOME).get("Contents", ())
            return [found["ETag"] for found in now] not in (version, [])

        until(told, within=60)
        outcome: dict[str, Any] = json.loads(read(stack, OUTCOME))
        return outcome

    for path in (tmp_path / "pages/error-404.html", tmp_path / "passwd"):
        client.put_object(Bucket=bucket, Key=f"config/files{path}", Body=path.read_bytes())
    outcome = upload(file.read_text())
    assert outcome["change"] == "applied", outcome
    assert outcome["warnings"] == [
        warning for warning in outcome["warnings"] if "config/files" not in warning
    ]
    shown = stack.sheen("config", "show").stdout
    assert shown.startswith(f"{outcome['configuration']} holds: s3://{bucket}/{UPLOAD}\n")
    assert f"templates of {tmp_path}/pages: error-404" in shown
    assert read(stack, f"config/passwords/{outcome['configuration']}").startswith("ann:")

    broken = upload(file.read_text().replace("listen 3838;", "listen 3838"))
    assert broken["change"] == "refused"
    assert broken["errors"][0].startswith(f"s3://{bucket}/{UPLOAD}:5:3: ")
    assert stack.sheen("config", "show").stdout == shown
    why = stack.sheen("config", "show", broken["configuration"], check=False)
    assert why.returncode == 1
    assert f"{UPLOAD}:5:3:" in why.stderr
    stack.sheen("config", "clear")
