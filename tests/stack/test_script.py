"""``sheen run``: a script of an app as a task of the stack."""

from pathlib import Path

import pytest

from tests.support.apps import app
from tests.support.stack import StackProcess

pytestmark = pytest.mark.stack

SCRIPT = """
cat("counting\\n")
Sys.sleep(2)
writeLines("42", file.path(Sys.getenv("SHEEN_OUTPUT"), "answer.txt"))
"""


def test_a_script_runs_and_its_file_is_in_the_bucket(stack: StackProcess, tmp_path: Path) -> None:
    folder = app(tmp_path / "counted")
    (folder / "count.R").write_text(SCRIPT)
    (folder / "fail.R").write_text('stop("no such table")')
    stack.publish(folder, "/counted")
    said = stack.sheen("run", "/counted", "count.R").stdout
    key = "data/counted/answer.txt"
    bucket = stack.environment()["SHEEN_BUCKET"]
    assert said == f"counting\ns3://{bucket}/{key}\n"
    assert stack.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read() == b"42\n"

    failed = stack.sheen("run", "/counted", "fail.R", check=False)
    assert failed.returncode == 1
    assert "no such table" in failed.stderr
    assert "within the app" in stack.sheen("run", "/counted", "../x.R", check=False).stderr
