"""What keeps deployed images from growing old: the base image is raised in the tree, and ECR's
findings are told.
"""

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from infra.aws.base import raise_base
from infra.aws.errors import DeployError
from infra.aws.image import DOCKERFILE, PushedImage, tag_of
from infra.aws.scan import PATIENCE_SECONDS, scan_lines
from infra.declared import TREE

NEW = f"sha256:{'a' * 64}"
OLD_IMAGE, NEW_IMAGE = (
    PushedImage("agent-1", "r@sha256:1", anew=False),
    PushedImage("agent-1", "r@sha256:1", anew=True),
)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for folder in ("tasks", "chalice_app/chalicelib", "client/dist", "workers"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "requirements.lock").touch()
    (tmp_path / DOCKERFILE).write_text((TREE / DOCKERFILE).read_text())
    return tmp_path


def test_raising_the_base_makes_another_image_even_when_only_debians_packages_are_newer(
    tree: Path,
) -> None:
    asked = list[Sequence[str]]()

    def run(command: Sequence[str]) -> str:
        asked.append(command)
        return NEW

    tags = {tag_of(tree, {})}
    assert raise_base(tree, date(2027, 1, 2), run) == NEW
    assert "debian:bookworm-slim" in asked[0]
    text = (tree / DOCKERFILE).read_text()
    assert (
        f"FROM debian:bookworm-slim@{NEW} AS agent\n" in text
        and 'ARG REFRESHED="2027-01-02"' in text
    )
    tags.add(tag_of(tree, {}))
    raise_base(tree, date(2027, 2, 3), run)
    tags.add(tag_of(tree, {}))
    assert len(tags) == 3


def test_what_docker_says_is_not_written_unless_it_is_a_digest(tree: Path) -> None:
    before = (tree / DOCKERFILE).read_text()
    with pytest.raises(DeployError, match="latest"):
        raise_base(tree, date(2027, 1, 2), lambda _command: "latest")
    assert (tree / DOCKERFILE).read_text() == before


class Ecr:
    """Answers what it is told to, one after another; None: there has been no scan."""

    def __init__(self, *answers: dict[str, Any] | None) -> None:
        self.answers = list(answers)
        self.scans = 0

    def start_image_scan(self, **_which: Any) -> None:
        self.scans += 1
        if self.scans > 1:
            raise ClientError(
                {"Error": {"Code": "LimitExceededException", "Message": "once a day"}},
                "StartImageScan",
            )

    def describe_image_scan_findings(self, **_which: Any) -> dict[str, Any]:
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if answer is None:
            raise ClientError(
                {"Error": {"Code": "ScanNotFoundException", "Message": "none"}},
                "DescribeImageScanFindings",
            )
        return answer


def lines(ecr: Ecr, image: PushedImage) -> list[str]:
    return list(
        scan_lines(
            ecr, "1.dkr.ecr.eu-central-1.amazonaws.com/sheen-prod", image, lambda _seconds: None, 5
        )
    )


FOUND = {
    "imageScanStatus": {"status": "COMPLETE"},
    "imageScanFindings": {
        "findingSeverityCounts": {"HIGH": 1, "LOW": 7, "CRITICAL": 1},
        "findings": [
            {
                "name": "CVE-1",
                "severity": "HIGH",
                "attributes": [{"key": "package_name", "value": "openssl"}],
            },
            {"name": "CVE-2", "severity": "CRITICAL"},
            {"name": "CVE-3", "severity": "LOW"},
        ],
    },
}


def test_what_the_scan_of_a_push_finds_is_told_with_the_way_out() -> None:
    ecr = Ecr({"imageScanStatus": {"status": "IN_PROGRESS"}}, FOUND)
    told = lines(ecr, NEW_IMAGE)
    assert told[0] == "agent-1: known vulnerabilities: 1 critical, 1 high (CVE-1 in openssl, CVE-2)"
    assert "`make base`" in told[1]
    assert ecr.scans == 0, "ECR scans what is pushed"


def test_an_image_of_an_earlier_run_is_scanned_again_once_a_day() -> None:
    ecr = Ecr(
        {
            "imageScanStatus": {"status": "COMPLETE"},
            "imageScanFindings": {"findingSeverityCounts": {"LOW": 1}},
        }
    )
    assert (
        lines(ecr, OLD_IMAGE)
        == lines(ecr, OLD_IMAGE)
        == ["agent-1: no known vulnerability is critical or high"]
    )
    assert ecr.scans == 2


def test_a_scan_that_does_not_come_or_fails_stops_no_deployment() -> None:
    assert lines(Ecr(None), NEW_IMAGE) == [
        "agent-1: ECR has not finished its scan yet; the console shows what it finds"
    ]
    failed = {"imageScanStatus": {"status": "FAILED", "description": "UnsupportedImageError"}}
    assert lines(Ecr(failed), NEW_IMAGE) == [
        "agent-1: ECR could not scan it: UnsupportedImageError"
    ]
    assert PATIENCE_SECONDS <= 300
