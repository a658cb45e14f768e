"""Uploads count once and in their order, and the history keeps what may be needed."""

from hypothesis import given
from hypothesis import strategies as st

from chalicelib.applying.decision import (
    KEPT,
    ConfigurationStanding,
    ConfigurationUpload,
    HistoryEntry,
    Pointer,
    noted,
    outlived,
    standing,
    switched,
)


def upload(second: int, sequence: int = 0) -> ConfigurationUpload:
    return ConfigurationUpload(f"{second:04}/{sequence:04}", float(second))


def test_an_upload_counts_once() -> None:
    pointer = Pointer()
    assert standing(pointer, upload(5)) is ConfigurationStanding.NEW
    pointer = switched(pointer, "a", 5.0, upload(5))
    assert standing(pointer, upload(5)) is ConfigurationStanding.REPEATED
    assert standing(pointer, upload(4)) is ConfigurationStanding.OUTDATED
    assert standing(pointer, upload(5, 1)) is ConfigurationStanding.NEW


def test_an_upload_before_a_command_is_overtaken_by_it() -> None:
    pointer = switched(Pointer(), "a", 9.6)
    assert standing(pointer, upload(8)) is ConfigurationStanding.OVERTAKEN
    assert standing(pointer, upload(9)) is ConfigurationStanding.NEW
    assert standing(noted(pointer, upload(8)), upload(8)) is ConfigurationStanding.REPEATED


def test_a_refused_upload_does_not_hold_up_a_command() -> None:
    pointer = noted(switched(Pointer(), "a", 5.0), upload(7))
    assert (pointer.configuration, pointer.at) == ("a", 5.0)
    assert standing(pointer, upload(7)) is ConfigurationStanding.REPEATED


def test_two_rollbacks_end_where_they_began() -> None:
    pointer = switched(switched(Pointer(), "a", 1.0), "b", 2.0)
    assert (pointer.configuration, pointer.previous) == ("b", "a")
    pointer = switched(pointer, pointer.previous, 3.0)
    assert (pointer.configuration, pointer.previous) == ("a", "b")
    pointer = switched(pointer, None, 4.0)
    assert (pointer.configuration, pointer.previous) == (None, "a")
    assert switched(pointer, "a", 5.0).previous == "a"


@given(st.lists(st.sampled_from(["apply", "refuse", "back", "old", "clear"]), max_size=80))
def test_what_a_rollback_may_lead_to_is_there(steps: list[str]) -> None:
    pointer, entries, removed = Pointer(), list[HistoryEntry](), set[str]()
    for number, step in enumerate(steps, 1):
        wanted: str | None = f"c{number}"
        if step == "back":
            wanted = pointer.previous
        elif step == "old":
            wanted = entries[0].configuration if entries else None
        elif step == "clear":
            wanted = None
        pointer = (
            noted(pointer, None) if step == "refuse" else switched(pointer, wanted, float(number))
        )
        entries.append(HistoryEntry(pointer.number, wanted))
        old, unneeded = outlived(pointer, entries)
        entries = [entry for entry in entries if entry.number not in old]
        removed |= set(unneeded)
        assert len(entries) <= KEPT
        needed = {entry.configuration for entry in entries}
        assert not removed & (needed | {pointer.configuration, pointer.previous})
