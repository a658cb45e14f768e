"""Removing files from EFS: what is named is gone, and nothing else is."""

from pathlib import Path

import pytest

from tasks import remove

APP, OTHER = "0123456789ab", "ba9876543210"
VERSION = "20261120T133144Z-3f9a0000"


@pytest.fixture
def efs(tmp_path: Path) -> Path:
    for folder in (
        f"apps/{APP}/{VERSION}/www",
        f"apps/{APP}/{VERSION}.library/shiny",
        f"apps/{APP}/20261120T140000Z-00000000",
        f"data/{APP}",
        f"bookmarks/{APP}",
        f"apps/{OTHER}/{VERSION}",
        f"data/{OTHER}",
        f"bookmarks/{OTHER}",
        "packages/shiny",
    ):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "file").write_text("x")
    (tmp_path / "apps" / APP / VERSION / "www" / "link").symlink_to(tmp_path / "packages" / "shiny")
    return tmp_path


def left(efs: Path) -> set[str]:
    return {str(path.parent.relative_to(efs)) for path in efs.rglob("file")}


OTHERS = {f"apps/{OTHER}/{VERSION}", f"data/{OTHER}", f"bookmarks/{OTHER}", "packages/shiny"}


def run(efs: Path, what: str) -> int:
    return remove.main({"SHEEN_REMOVE": what, "SHEEN_EFS": str(efs)})


def test_a_version_goes_with_its_library_and_nothing_that_it_links_to(efs: Path) -> None:
    for _ in range(2):
        assert run(efs, f"{APP}/{VERSION}") == 0
        assert left(efs) == OTHERS | {f"apps/{APP}/20261120T140000Z-00000000", f"data/{APP}", f"bookmarks/{APP}"}


def test_an_app_goes_with_all_versions_its_data_and_its_bookmarks(efs: Path) -> None:
    assert run(efs, APP) == 0
    assert left(efs) == OTHERS
    assert not list((efs / remove.TRASH).iterdir())


def test_what_a_run_left_that_was_broken_off_goes_too(efs: Path) -> None:
    (efs / remove.TRASH / "abc").mkdir(parents=True)
    assert run(efs, APP) == 0
    assert not list((efs / remove.TRASH).iterdir())


@pytest.mark.parametrize(
    "what", ["", "..", f"{APP}/", f"{APP}/..", f"{APP}/../{OTHER}", f"/{APP}", "packages", f"{APP}\n", f"{APP}/{VERSION}/www"]
)
def test_nothing_else_can_be_named(efs: Path, what: str) -> None:
    before = left(efs)
    assert run(efs, what) == 1
    assert left(efs) == before


def test_a_link_in_a_folders_place_is_left_alone(efs: Path) -> None:
    (efs / "apps" / "aaaaaaaaaaaa").symlink_to(efs / "apps" / OTHER)
    assert run(efs, "aaaaaaaaaaaa") == 0
    assert f"apps/{OTHER}/{VERSION}" in left(efs)
