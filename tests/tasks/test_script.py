"""Running an app's script: what it may do, and what of it comes to the bucket."""

import json
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest

from tasks import script
from tests.chalicelib.aws_in_process import BUCKET, ENVIRONMENT, aws_in_process
from tests.tasks.told import States

LOG = "scripts/hello/1.log"


@pytest.fixture(scope="module")
def services() -> Iterator[Counter[str]]:
    with aws_in_process() as calls:
        yield calls


@pytest.fixture
def states(services: Counter[str], monkeypatch: pytest.MonkeyPatch) -> States:
    return States.instead(monkeypatch)


def run(
    efs: Path, source: str, name: str = "job.R", target: str = "data/hello/", **files: str
) -> None:
    version = efs / "apps" / "0123456789ab" / "v1"
    version.mkdir(parents=True, exist_ok=True)
    (version / "job.R").write_text(source)
    for path, text in files.items():
        (version / path).write_text(text)
    environment = {
        **ENVIRONMENT,
        "SHEEN_EFS": str(efs),
        "SHEEN_APP_ID": "0123456789ab",
        "SHEEN_VERSION": "v1",
        "SHEEN_SCRIPT": name,
        "SHEEN_TARGET": target,
        "SHEEN_LOG_KEY": LOG,
        "SHEEN_TASK_TOKEN": "token",
    }
    assert script.main(environment) == 0


def stored(prefix: str) -> dict[str, str]:
    s3 = boto3.client("s3")
    listed = s3.list_objects_v2(Bucket=BUCKET, Prefix=prefix).get("Contents", [])
    return {
        entry["Key"]: s3.get_object(Bucket=BUCKET, Key=entry["Key"])["Body"].read().decode()
        for entry in listed
    }


def failure(states: States) -> str:
    name, told = states.told[-1]
    assert name == "send_task_failure"
    assert told["error"] in ("ScriptFailed", "BadScript")
    return str(told["cause"])


def test_what_a_script_writes_goes_below_the_target(states: States, tmp_path: Path) -> None:
    source = """
    cat("reading", readLines("input.txt"), "\\n")
    output <- Sys.getenv("SHEEN_OUTPUT")
    dir.create(file.path(output, "deep"))
    writeLines("one", file.path(output, "one.txt"))
    writeLines("two", file.path(output, "deep", "two.txt"))
    """
    run(tmp_path, source, target="data/good/", **{"input.txt": "the input"})
    assert states.told == [
        ("send_task_success", {"taskToken": "token", "output": states.told[0][1]["output"]})
    ]
    assert json.loads(states.told[0][1]["output"]) == {
        "files": ["data/good/one.txt", "data/good/deep/two.txt"]
    }
    assert stored("data/good/") == {"data/good/one.txt": "one\n", "data/good/deep/two.txt": "two\n"}
    assert "reading the input" in stored(LOG)[LOG]


def test_a_script_that_fails_stores_nothing_and_says_why(states: States, tmp_path: Path) -> None:
    run(
        tmp_path,
        'writeLines("x", file.path(Sys.getenv("SHEEN_OUTPUT"), "x")); stop("no such table")',
        target="data/bad/",
    )
    assert "exit status 1" in failure(states)
    assert "no such table" in failure(states)
    assert stored("data/bad/") == {}


@pytest.mark.parametrize(
    ("name", "why"), [("other.R", "has no file other.R"), ("../job.R", "within the app")]
)
def test_only_the_versions_own_scripts_run(
    states: States, tmp_path: Path, name: str, why: str
) -> None:
    run(tmp_path, "", name=name)
    assert why in failure(states)


def test_a_script_cannot_write_elsewhere_than_data(states: States, tmp_path: Path) -> None:
    run(tmp_path, "", target="bundles/hello/")
    assert "below data/" in failure(states)


def test_a_link_in_the_output_is_not_followed(states: States, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("the task's own")
    for target in (secret, tmp_path):
        run(
            tmp_path,
            f'file.symlink("{target}", file.path(Sys.getenv("SHEEN_OUTPUT"), "link"))',
            target="data/links/",
        )
        assert "link in SHEEN_OUTPUT is not a plain file" in failure(states)
    assert stored("data/links/") == {}


@pytest.mark.parametrize(
    ("code", "why"),
    [
        (
            'system(paste0("mkfifo ", Sys.getenv("SHEEN_OUTPUT"), "/fifo"))',
            "fifo in SHEEN_OUTPUT is not a plain file",
        ),
        (
            'setwd(Sys.getenv("SHEEN_OUTPUT")); for (i in 1:70) { dir.create("d"); setwd("d") }',
            "is deeper than",
        ),
    ],
)
def test_an_output_that_is_no_tree_of_files_is_refused(
    states: States, tmp_path: Path, code: str, why: str
) -> None:
    run(tmp_path, code, target="data/odd/")
    assert why in failure(states)
    assert stored("data/odd/") == {}


def test_the_script_has_nothing_of_the_tasks(
    states: States, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1/secret")
    run(
        tmp_path,
        'cat(names(Sys.getenv()), "\\n"); cat("user", system("id -u", intern = TRUE), "\\n")',
    )
    said = stored(LOG)[LOG]
    assert "SHEEN_OUTPUT" in said
    assert "AWS_" not in said
    assert "TOKEN" not in said
    if os.geteuid() == 0:
        assert "user 19" in said
