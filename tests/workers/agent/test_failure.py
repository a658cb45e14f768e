"""What people are told when R fails."""

from pathlib import Path

from agent import failure


def test_paths_of_the_machine_are_not_shown() -> None:
    directory = Path("/mnt/efs/apps/0123456789ab/20261120T000000Z-0000")
    error = failure.start_failed(1, f"Error in file({directory}/data.csv)\nfolder {directory}")
    told = failure.cause(error, directory)
    assert "/mnt/efs" not in told
    assert "file(data.csv)" in told
    assert "exit status 1" in told


def test_only_the_end_of_a_long_output_is_shown() -> None:
    shown = failure.shown("\n".join(f"line {number}" for number in range(10_000)), Path("/app"))
    assert len(shown) <= failure.SHOWN + 2
    assert shown.startswith("…\nline ")
    assert shown.endswith("line 9999")


def test_each_way_to_end_has_its_words() -> None:
    assert "as happens when the instance runs out of memory" in failure.ending(-9)
    assert "because the instance ran out of memory" in failure.ending(-9, out_of_memory=True)
    assert failure.ending(-9, out_of_memory=False) == "was stopped by SIGKILL"
    assert "compiled code" in failure.ending(-11)
    assert "larger than an app's file may be" in failure.ending(-25)
    assert failure.ending(-15) == "was stopped by SIGTERM"
    assert failure.ending(3) == "ended with exit status 3"
    assert "quit()" in str(failure.start_failed(0, ""))
