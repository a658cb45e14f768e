"""What DataSync is told, and what its answers mean."""

from typing import Any

import pytest

from chalicelib.syncs import keys, transfers
from chalicelib.syncs.decision import reason
from chalicelib.syncs.definition import SyncDefinition


def definition(**values: Any) -> SyncDefinition:
    return SyncDefinition.parse("sales", values, "sheen-test")


def values(rules: list[dict[str, str]]) -> list[str]:
    return [rule["Value"] for rule in rules]


def test_everything_is_one_transfer_without_filters() -> None:
    found = transfers.of_prefixes(definition(), "task", [""])
    assert (found["includes"], found["excludes"]) == ([], [])
    assert (found["options"]["PreserveDeletedFiles"], found["options"]["TransferMode"]) == (
        "PRESERVE",
        "CHANGED",
    )


def test_prefixes_are_patterns_and_what_is_urgent_is_left_to_the_copy_task() -> None:
    found = transfers.of_prefixes(
        definition(urgent="now/", exclude="*.tmp", delete=True), "task", ["2026/", "model|"]
    )
    assert values(found["includes"]) == ["/2026|/model\\|*"]
    assert values(found["excludes"]) == ["*.tmp|/now/*"]
    assert found["options"]["PreserveDeletedFiles"] == "REMOVE"


@pytest.mark.parametrize(
    ("include", "asked", "expected"),
    [
        ("/2026/*", [""], "/2026/*"),
        ("/2026/*", ["2026/may/"], "/2026/may"),
        ("/2026/*", ["2025/"], "/2026/*"),
        ("", ["2025/"], "/2025"),
    ],
)
def test_a_definition_that_includes_a_part_never_brings_more_than_that(
    include: str, asked: list[str], expected: str
) -> None:
    assert values(
        transfers.of_prefixes(definition(include=include), "task", asked)["includes"]
    ) == [expected]


def test_single_keys_delete_nothing_and_urgent_ones_are_not_left_out() -> None:
    found = transfers.of_keys(definition(urgent="/", delete=True), "task", ["a b|c*.csv", "d"])
    assert values(found["includes"]) == ["/a b\\|c\\*.csv|/d"]
    assert found["excludes"] == []
    assert found["options"]["PreserveDeletedFiles"] == "PRESERVE"


def test_nothing_to_transfer_is_no_transfer_of_everything() -> None:
    for made in (transfers.of_prefixes, transfers.of_keys):
        with pytest.raises(ValueError, match="no "):
            made(definition(delete=True), "task", [])


def test_an_object_that_is_called_as_the_urgent_folder_is_not_left_out() -> None:
    [rule] = transfers.of_prefixes(definition(urgent="now/"), "task", [""])["excludes"]
    left_out = keys.matcher([rule["Value"]])
    assert left_out is not None
    assert [bool(left_out.match(path)) for path in ("/now/a", "/now/a/b", "/now", "/nowhere")] == [
        True,
        True,
        False,
        False,
    ]


SOME = (
    "Transfer and verification completed. Selected files transferred except for files "
    "skipped due to errors."
)


@pytest.mark.parametrize(
    ("counted", "failed"),
    [
        ({"EstimatedFilesToTransfer": 6, "FilesTransferred": 3, "FilesDeleted": 1}, 2),
        ({"EstimatedFilesToTransfer": 3, "FilesTransferred": 3}, 1),  # one that did not verify
        (
            {"FilesTransferred": 3, "FilesFailed": {"Transfer": 3, "Verify": 1}},
            4,
        ),  # Enhanced mode counts them
    ],
)
def test_files_that_failed_are_counted_and_told_as_far_as_datasync_tells(
    counted: dict[str, Any], failed: int
) -> None:
    described = {
        "Status": "ERROR",
        "FilesSkipped": 2,
        "Result": {"ErrorCode": "X", "ErrorDetail": SOME},
        **counted,
    }
    found = transfers.outcome(described)
    assert (
        found["counts"]["files_seen"],
        found["counts"]["files_copied"],
        found["counts"]["files_failed"],
    ) == (5 + failed, 3, failed)
    assert found["failures"] == [("DataSync", SOME)]
    assert (
        transfers.outcome(
            {"Status": "SUCCESS", "FilesTransferred": 1, "EstimatedFilesToTransfer": 5}
        )["counts"]["files_failed"]
        == 0
    )


def test_enhanced_mode_is_not_asked_to_verify_what_it_did_not_transfer() -> None:
    everything = transfers.of_prefixes(definition(verify="all"), "task", [""])["options"]
    assert everything["VerifyMode"] == "POINT_IN_TIME_CONSISTENT"
    assert transfers.in_mode(everything, "BASIC") == everything
    assert transfers.in_mode(everything, "ENHANCED") == {
        **everything,
        "VerifyMode": "ONLY_FILES_TRANSFERRED",
    }


def test_each_phase_and_each_file_is_progress() -> None:
    steps: list[dict[str, Any]] = [
        {"Status": "QUEUED"},
        {"Status": "LAUNCHING"},
        {"Status": "PREPARING"},
        {"Status": "TRANSFERRING", "FilesTransferred": 0, "BytesTransferred": 1},
        {"Status": "TRANSFERRING", "FilesTransferred": 1, "BytesTransferred": 5},
        {"Status": "VERIFYING", "FilesTransferred": 1, "BytesTransferred": 5},
    ]
    numbers = [transfers.progress(step) for step in steps]
    assert numbers == sorted(set(numbers))


@pytest.mark.parametrize(
    ("error", "told"),
    [
        ({"Error": "TransferFailed", "Cause": "DataSync: X: y"}, "DataSync: X: y."),
        (
            {"Error": "BadSync", "Cause": '{"errorMessage": "sync a: no", "errorType": "BadSync"}'},
            "sync a: no.",
        ),
        (
            {"Error": "States.HeartbeatTimeout", "Cause": ""},
            "It did not come to an end, or gave no sign of life, and was stopped.",
        ),
        ({"Error": "Odd"}, "Odd."),
    ],
)
def test_errors_become_sentences(error: dict[str, str], told: str) -> None:
    assert reason(error) == told
