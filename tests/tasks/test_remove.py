"""Removing files from EFS: what is named is gone, and nothing else is."""

import os
from pathlib import Path

import pytest

from machine.untrusted import REMOVING, Folder
from tasks import remove, token

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
        assert left(efs) == OTHERS | {
            f"apps/{APP}/20261120T140000Z-00000000",
            f"data/{APP}",
            f"bookmarks/{APP}",
        }


def test_an_app_goes_with_all_versions_its_data_and_its_bookmarks(efs: Path) -> None:
    assert run(efs, APP) == 0
    assert left(efs) == OTHERS
    assert not list(efs.rglob(f"{REMOVING}*"))


def deep(folder: Path, levels: int = 1500) -> None:
    """Make a tree that is deeper than Python recurses and than a path can be, as an app can."""
    at = os.open(folder, os.O_RDONLY)
    for _ in range(levels):
        os.mkdir("deep", dir_fd=at)
        below = os.open("deep", os.O_RDONLY, dir_fd=at)
        os.close(at)
        at = below
    os.close(at)


def test_a_tree_of_any_depth_goes(efs: Path) -> None:
    deep(efs / "data" / APP)
    assert run(efs, APP) == 0
    assert left(efs) == OTHERS
    assert not (efs / "data" / APP).exists()
    assert not list(efs.rglob(f"{REMOVING}*"))


def test_what_runs_left_that_were_broken_off_goes_after_what_was_asked_for(
    efs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    leftovers = [
        efs / remove.FORMER_TRASH / "abc",
        efs / "data" / f"{REMOVING}1",
        efs / "apps" / OTHER / f"{REMOVING}2",
    ]
    recent = efs / "apps" / f"{REMOVING}3"
    for folder in (*leftovers, recent):
        (folder / "below").mkdir(parents=True)
    deep(leftovers[0])
    for folder in leftovers:
        os.utime(folder, (1.0, 1.0))
    told: list[str] = []
    monkeypatch.setattr(
        token,
        "succeed",
        lambda _token, _output: told.extend(str(each) for each in leftovers if each.exists()),
    )
    assert run(efs, APP) == 0
    assert told == [str(each) for each in leftovers], "the state machine did not wait for them"
    assert [folder.exists() for folder in leftovers] == [False, False, False]
    assert recent.exists(), "another run is at it"


def test_what_cannot_be_removed_of_former_runs_stops_nothing(
    efs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad, good = efs / remove.FORMER_TRASH / "bad", efs / remove.FORMER_TRASH / "good"
    for folder in (bad, good):
        folder.mkdir(parents=True)
        os.utime(folder, (1.0, 1.0))
    removal = Folder.remove

    def failing(folder: Folder, name: str) -> None:
        if name == "bad":
            raise RecursionError
        removal(folder, name)

    monkeypatch.setattr(Folder, "remove", failing)
    assert run(efs, APP) == 0
    assert left(efs) == OTHERS
    assert (bad.exists(), good.exists()) == (True, False)


def test_whatever_goes_wrong_is_told_to_the_state_machine(
    efs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[str, str]] = []
    monkeypatch.setattr(token, "fail", lambda token, error, _cause: told.append((token, error)))
    monkeypatch.setattr(Folder, "remove", lambda _folder, _name: [].pop())
    assert remove.main({"SHEEN_REMOVE": APP, "SHEEN_EFS": str(efs), "SHEEN_TASK_TOKEN": "t"}) == 1
    assert told == [("t", "IndexError")]
    assert remove.main({"SHEEN_TASK_TOKEN": "t"}) == 1
    assert told[1:] == [("t", "SettingMissing")]


@pytest.mark.parametrize(
    "what",
    [
        "",
        "..",
        f"{APP}/",
        f"{APP}/..",
        f"{APP}/../{OTHER}",
        f"/{APP}",
        "packages",
        f"{APP}\n",
        f"{APP}/{VERSION}/www",
    ],
)
def test_nothing_else_can_be_named(efs: Path, what: str) -> None:
    before = left(efs)
    assert run(efs, what) == 1
    assert left(efs) == before


def test_a_link_in_a_folders_place_is_left_alone(efs: Path) -> None:
    (efs / "apps" / "aaaaaaaaaaaa").symlink_to(efs / "apps" / OTHER)
    assert run(efs, "aaaaaaaaaaaa") == 0
    assert f"apps/{OTHER}/{VERSION}" in left(efs)
