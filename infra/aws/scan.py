"""Known vulnerabilities of the images, as ECR finds them.

They are reported and do not stop a deployment; the operator judges them.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from botocore.exceptions import ClientError

from infra.aws.image import PushedImage

PATIENCE_SECONDS = 180
MOST_NAMED = 10
_UNFINISHED = frozenset({"IN_PROGRESS", "PENDING"})
_GRAVE = ("CRITICAL", "HIGH")


def scan_lines(
    client: Any,
    repository: str,
    image: PushedImage,
    sleep: Callable[[float], None],
    poll_seconds: float,
) -> Iterator[str]:
    """Yield ECR's findings for an image, once ECR has scanned it.

    An image of an earlier run is scanned again, which ECR does at most once a day. ``client`` is
    boto3's for ECR.
    """
    which = {"repositoryName": repository.partition("/")[2], "imageId": {"imageTag": image.tag}}
    if not image.anew:
        _scan(client, which)
    waited = 0.0
    while True:
        found = _findings(client, which)
        if found is None:
            _scan(client, which)
        if found is not None and found.get("imageScanStatus", {}).get("status") not in _UNFINISHED:
            break
        if waited >= PATIENCE_SECONDS:
            yield f"{image.tag}: ECR has not finished its scan yet; the console shows what it finds"
            return
        sleep(poll_seconds)
        waited += poll_seconds
    yield from told(image.tag, found)


def told(tag: str, found: Mapping[str, Any]) -> Iterator[str]:
    """Yield the lines that report a scan's findings.

    This function is pure.
    """
    status = found.get("imageScanStatus", {})
    if status.get("status") not in ("COMPLETE", "ACTIVE"):
        yield (
            f"{tag}: ECR could not scan it: "
            f"{status.get('description') or status.get('status', 'it does not say why')}"
        )
        return
    findings = found.get("imageScanFindings", {})
    counts: Mapping[str, int] = findings.get("findingSeverityCounts", {})
    grave = [
        one
        for one in (*findings.get("findings", ()), *findings.get("enhancedFindings", ()))
        if one.get("severity") in _GRAVE
    ]
    number = sum(counts.get(severity, 0) for severity in _GRAVE)
    if not number:
        yield f"{tag}: no known vulnerability is critical or high"
        return
    names = ", ".join(sorted({_name(one) for one in grave})[:MOST_NAMED])
    yield (
        f"{tag}: known vulnerabilities: {counts.get('CRITICAL', 0)} critical, "
        f"{counts.get('HIGH', 0)} high ({names})"
    )
    yield (
        "`make base`, then `make deploy`, builds the image anew from today's Debian; see "
        "docs/operator.md, Patching"
    )


def _name(finding: Mapping[str, Any]) -> str:
    attributes = {one["key"]: one.get("value", "") for one in finding.get("attributes", ())}
    package = attributes.get("package_name", "")
    return f"{finding.get('name') or finding.get('title', '')}{f' in {package}' if package else ''}"


def _scan(client: Any, which: Mapping[str, Any]) -> None:
    try:
        client.start_image_scan(**which)
    except ClientError as error:
        # The image has been scanned today, or the registry scans by itself.
        if error.response["Error"]["Code"] not in (
            "LimitExceededException",
            "ValidationException",
            "UnsupportedImageTypeException",
        ):
            raise


def _findings(client: Any, which: Mapping[str, Any]) -> Any:
    try:
        return client.describe_image_scan_findings(**which)
    except ClientError as error:
        if error.response["Error"]["Code"] == "ScanNotFoundException":
            return None
        raise
