"""Which scripts may be run, and where their files may go."""

import pytest

from chalicelib.publishing.scripts import BadScript, check_script, check_target


@pytest.mark.parametrize("path", ["train.R", "jobs/nightly train.r", "R/a.b.R"])
def test_an_r_file_of_the_app_may_be_run(path: str) -> None:
    assert check_script(path) == path


@pytest.mark.parametrize(
    "path",
    [
        "",
        "../other/train.R",
        "/etc/x.R",
        "a//b.R",
        "train.py",
        ".Rprofile.R",
        "-e.R",
        "a/../b.R",
        "x\n.R",
    ],
)
def test_nothing_else_may(path: str) -> None:
    with pytest.raises(BadScript, match="within the app"):
        check_script(path)


def test_a_target_ends_with_a_slash_and_is_data() -> None:
    assert check_target("data/sales") == "data/sales/"
    assert check_target("data/sales/2026/") == "data/sales/2026/"
    for prefix in (
        "bundles/x",
        "",
        "data",
        "data/",
        "data/../bundles",
        "data//x",
        "/data/x",
        "data/" + "x" * 600,
    ):
        with pytest.raises(BadScript, match="below data/"):
            check_target(prefix)
