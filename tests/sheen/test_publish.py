"""What the command uploads, and what it says before it does."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.publishing.keys import ENDINGS, BundleKey
from sheen.bundle import NotAnApp, ending_of, zip_folder
from sheen.publish import upload_name

NOW = datetime(2026, 11, 20, 13, 31, 44, tzinfo=UTC)


@given(st.text(max_size=120), st.sampled_from(ENDINGS))
def test_any_name_of_a_file_becomes_a_key_that_is_taken(stem: str, ending: str) -> None:
    name = upload_name(stem, "0123456789ab", ending, NOW)
    assert BundleKey.of("/hello", name).name.endswith(f"-20261120T133144Z-0123456789ab{ending}")


def test_equal_folders_make_equal_bundles_and_leave_tools_out(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name / ".git").mkdir(parents=True)
        (tmp_path / name / ".git" / "HEAD").write_text(name)
        (tmp_path / name / "app.R").write_text("1")
    assert zip_folder(tmp_path / "a", tmp_path / "a.zip") == zip_folder(
        tmp_path / "b", tmp_path / "b.zip"
    )
    (tmp_path / "b" / "app.R").write_text("2")
    assert zip_folder(tmp_path / "a", tmp_path / "a.zip") != zip_folder(
        tmp_path / "b", tmp_path / "b.zip"
    )


@pytest.mark.parametrize(
    ("name", "why"),
    [("gone", "no such folder or file"), ("app.rar", "neither a folder nor a .zip or .tar.gz")],
)
def test_what_cannot_be_published_is_told(name: str, why: str, tmp_path: Path) -> None:
    (tmp_path / "app.rar").write_text("x")
    with pytest.raises(NotAnApp, match=why):
        ending_of(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "ending"), [("a.zip", ".zip"), ("a.tar.gz", ".tar.gz"), ("a.tgz", ".tgz")]
)
def test_packed_bundles_are_known_by_their_names(name: str, ending: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text("x")
    assert ending_of(tmp_path / name) == ending
